const waiting: (() => void)[] = [];
let channel: MessageChannel | undefined;

/**
 * Resolves in a later task, after the events that are queued now. A message is a task of its own, and is not delayed like a
 * timeout (by 4 ms after the fifth).
 */
export function nextTask(): Promise<void> {
  if (typeof MessageChannel !== "function") return new Promise((done) => void setTimeout(done, 0)); // Some edge runtimes have none.
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
