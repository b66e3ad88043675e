// Measures in Chromium, on one thread, how long an explanation of a passage of 63 words takes until its first contribution and
// in total, next to a ranking of 63 such passages, in turns.
//
//     node bench/measure/first-contributions.mjs [ROUNDS]
//
// It measures the built package, and needs the packages of tests/js.
import { launchChromium } from "../../tests/js/support/browsers/chromium.js";
import { explanationTimes, openReranker } from "../../tests/js/support/browsers/explanation-times.js";
import { startSite } from "../../tests/js/support/servers/package-site.js";
import { median, quartiles } from "./statistics.mjs";

const [count = "9"] = process.argv.slice(2);
if (!/^[1-9]\d*$/.test(count)) {
  console.error("usage: node bench/measure/first-contributions.mjs [ROUNDS]");
  process.exit(2);
}

const site = await startSite();
const browser = await launchChromium();
try {
  const page = await openReranker(browser, site.url);
  const { words, rounds } = await explanationTimes(page, Number(count));
  console.log(`${words} words, medians and quartiles of ${rounds.length} rounds`);
  print(
    "first contribution, ms",
    rounds.map(({ firstMs }) => firstMs),
    0,
  );
  print(
    "explanation, ms",
    rounds.map(({ explainMs }) => explainMs),
    0,
  );
  print(
    "explanation over ranking",
    rounds.map(({ explainMs, rankMs }) => explainMs / rankMs),
    3,
  );
  console.log(`pairs scored after each micro-batch: ${rounds[0].steps.join(" ")}`);
} finally {
  await browser.close();
  await site.stop();
}

function print(name, values, digits) {
  const [low, high] = quartiles(values).map((value) => value.toFixed(digits));
  console.log(`${name}: ${median(values).toFixed(digits)} (${low} to ${high})`);
}
