import WebSocket from "ws";

/**
 * Connects to the isolate of a Worker through V8's inspector. workerd does not end while this is connected.
 * @param {number} port workerd's port for inspectors
 */
export async function inspectIsolate(port) {
  const [{ webSocketDebuggerUrl }] = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
  const socket = new WebSocket(webSocketDebuggerUrl);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const ask = (method) =>
    new Promise((resolve) => {
      socket.once("message", (data) => resolve(JSON.parse(data).result));
      socket.send(JSON.stringify({ id: 1, method }));
    });
  return {
    /** Returns the memory of JavaScript objects and array buffers in bytes. */
    memory: async () => {
      const { usedSize, embedderHeapUsedSize, backingStorageSize } = await ask("Runtime.getHeapUsage");
      return usedSize + embedderHeapUsedSize + backingStorageSize;
    },
    close: () => socket.terminate(),
  };
}
