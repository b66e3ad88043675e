import defaultModel from "../default-model.js";
import { expectSuccess, request } from "../download.js";
import { RankletError } from "../errors.js";
import type { Platform } from "./platform.js";

/** Pages and workers in browsers: everything is fetched, from where the package itself was. */
export const browser: Platform = {
  wasm: async () => {
    const url = new URL("../wasm/ranklet_bg.wasm", import.meta.url);
    return expectSuccess(await request(url), url);
  },
  defaultModel: () => defaultModel,
  folder: (path) => new URL(path, globalThis.document?.baseURI ?? globalThis.location.href),
  readFile: () =>
    Promise.reject(new RankletError("unsupported", "a page cannot read file: URLs; serve the folder over http, or give the files")),
  nextTask,
};

const waiting: (() => void)[] = [];
let channel: MessageChannel | undefined;

/** A message is a task of its own and, unlike a timeout, not delayed by 4 ms after the fifth. */
function nextTask(): Promise<void> {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  const { port2 } = channel;
  return new Promise((done) => {
    waiting.push(done);
    port2.postMessage(undefined);
  });
}
