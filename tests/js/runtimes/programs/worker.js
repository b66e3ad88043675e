// A worker of a page, or a service worker, in which the probe runs. Service workers import statically only.
import * as ranklet from "/pkg/index.js";
import { probe } from "/runtimes/probe.js";

let running;
const steps = {
  start: async () => {
    running = await probe({ importPackage: async () => ranklet });
    return running.report;
  },
  finish: () => running.finish(),
};

addEventListener("message", (event) => {
  const { data, ports } = event;
  const [port] = ports;
  const answered = steps[data]().then(
    (value) => port.postMessage({ value }),
    (error) => port.postMessage({ error: String(error) }),
  );
  // Browsers end a service worker that seems idle for some seconds.
  event.waitUntil?.(answered);
});
