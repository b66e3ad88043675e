// A process that runs the probe in Vercel's Edge Runtime, as the bundle whose path it gets.
import { readFileSync } from "node:fs";

import { EdgeRuntime } from "edge-runtime";

const runtime = new EdgeRuntime({ initialCode: readFileSync(process.argv[2], "utf8") });
const ask = async (step) => {
  const response = await runtime.dispatchFetch(`https://function.example/${step}`);
  await response.waitUntil();
  return response.json();
};
const report = await ask("start");
report.memoryBytes = process.memoryUsage.rss();
console.log(JSON.stringify({ report, afterDispose: await ask("finish") }));
