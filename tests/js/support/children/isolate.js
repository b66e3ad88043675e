import { setTimeout as wait } from "node:timers/promises";

import WebSocket from "ws";

/** Max time in milliseconds for each answer of the inspector. */
const maxAnswerMs = 60_000;

/**
 * Connects to the isolate of a Worker through V8's inspector. workerd does not end while this is connected.
 * @param {number} port workerd's port for inspectors
 */
export async function inspectIsolate(port) {
  const socket = new WebSocket(await debuggerUrl(port), { handshakeTimeout: maxAnswerMs });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const ask = (method) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), maxAnswerMs);
      socket.once("error", reject);
      socket.once("message", (data) => {
        clearTimeout(timer);
        resolve(JSON.parse(data).result);
      });
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

/** Waits until the inspector listens and has an isolate: workerd writes the address of its Workers before that. */
async function debuggerUrl(port) {
  const end = Date.now() + maxAnswerMs;
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/json`, { signal: AbortSignal.timeout(maxAnswerMs) });
      const [isolate] = await response.json();
      if (isolate !== undefined) return isolate.webSocketDebuggerUrl;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    if (Date.now() > end) throw new Error(`workerd's inspector on port ${port} has no isolate`);
    await wait(50);
  }
}
