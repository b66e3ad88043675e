// Runs in each worker before its program, and answers how large its WebAssembly memories are.
import { wasmBytes, watchMemories } from "./memory.js";

watchMemories();
const channel = new BroadcastChannel("memory");
channel.onmessage = ({ data }) => {
  if (data === "ask") channel.postMessage(wasmBytes());
};
