// Servers under load: `ranklet serve` next to two of Python, with the same requests.
import { attempt, closeAll } from "../measure/measure.mjs";
import { maxDifference } from "../measure/statistics.mjs";
import { runLoad } from "../serving/load-generator.mjs";
import { onnxruntimeServer, rankletServer, sentenceTransformersServer } from "../serving/servers.mjs";
import { steadyLoad, times } from "../serving/steady.mjs";

/** Weights of 8 bits change probabilities by less. A larger difference is another model. */
const maxScoreDifference = 0.1;

/**
 * Measures `ranklet serve` alone, with its memory, and then all servers in turns. A server that waits for its turn uses no
 * processor time.
 */
export async function serve({ python, model, workloads, config, notes }) {
  const { connections, documents, requests, steadySeconds, turns, turnSeconds } = config.serve;
  const jobs = Array.from({ length: requests }, () => workloads.next(documents));
  const bodies = jobs.map(({ query, documents }) => JSON.stringify({ query, documents }));
  const load = { bodies, connections, check: ({ results }) => checkRanking(results, documents) };

  const opened = [];
  for (const server of [rankletServer(), sentenceTransformersServer({ python, model }), onnxruntimeServer({ python, model })]) {
    console.error(`serve: starting ${server.label}`);
    const started = await attempt(server, notes, async () => ({ server, runner: await server.open(), rates: [], latencies: [] }));
    if (started !== undefined) opened.push(started);
  }
  try {
    return await measure();
  } finally {
    await closeAll(opened);
  }

  async function measure() {
    const reference = await scores(opened[0].runner, bodies[0]);
    for (const { server, runner } of opened) {
      const difference = maxDifference(await scores(runner, bodies[0]), reference);
      if (difference > maxScoreDifference) throw new Error(`${server.label}: scores differ by ${difference.toFixed(3)} from Ranklet's`);
    }
    const ours = opened.find(({ server }) => server.id === "ranklet");
    console.error(`serve: ${steadySeconds} s of load`);
    const steady = ours && (await steadyLoad(ours.runner, { ...load, seconds: steadySeconds }));
    noteErrors(ours?.server, steady?.errors);
    for (let turn = 0; turn < turns; turn++) {
      for (const { server, runner, rates, latencies } of opened) {
        const measured = await runLoad({ ...load, url: runner.url, seconds: turnSeconds });
        noteErrors(server, measured.errors);
        rates.push(measured.latencies.length / measured.seconds);
        latencies.push(...measured.latencies);
        console.error(`  ${server.label}: ${rates.at(-1).toFixed(1)} requests per second, ${turn + 1} of ${turns}`);
      }
    }
    return {
      connections,
      documents,
      tokens: jobs.reduce((sum, { tokens }) => sum + tokens, 0) / jobs.length,
      steady,
      servers: opened.map(({ server: { id, label }, runner, rates, latencies }) => ({
        id,
        label,
        settings: runner.settings,
        rates,
        ...times(latencies),
      })),
    };
  }

  function noteErrors(server, errors = []) {
    if (errors.length > 0)
      notes.push({ id: server.id, error: `${errors.length} requests failed, the first with: ${errors[0]}`, unsupported: false });
  }
}

/** Throws unless the results are a ranking of all documents, best first. */
function checkRanking(results, documents) {
  const isSorted = results.every(({ relevance_score: score }, index) => index === 0 || score <= results[index - 1].relevance_score);
  if (!isSorted || new Set(results.map(({ index }) => index)).size !== documents)
    throw new Error("the answer is no ranking of all documents");
}

/** Returns the scores of a request in document order. */
async function scores({ url }, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(60_000) });
  const { results } = await answer.json();
  return results.sort((a, b) => a.index - b.index).map(({ relevance_score: score }) => score);
}
