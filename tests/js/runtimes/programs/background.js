// The background of an extension, in which the probe runs.
import * as ranklet from "./pkg/index.js";
import { probe } from "./probe.js";

let running;
globalThis.steps = {
  start: async () => {
    running = await probe({ importPackage: async () => ranklet });
    return running.report;
  },
  finish: () => running.finish(),
};
