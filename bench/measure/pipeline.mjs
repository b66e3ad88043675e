// Predicts the time of a chain of workers from the times of their parts.

/** Micro-batches that are under way at a time, as in pkg/src/engine/parts/rest.ts. */
const maxUnderWay = (workers) => 2 * (workers - 1) + 1;

/**
 * Returns the milliseconds from the start of the first micro-batch to the end of the last. Each worker computes one at a time,
 * in order; the first begins one only while fewer than the maximum are under way.
 * @param {number[][]} times for each micro-batch, its milliseconds in each worker
 */
export function pipelineMs(times) {
  const workers = times[0].length;
  const ends = [];
  const free = new Array(workers).fill(0);
  times.forEach((parts, batch) => {
    let at = ends[batch - maxUnderWay(workers)] ?? 0;
    parts.forEach((ms, worker) => {
      at = Math.max(at, free[worker]) + ms;
      free[worker] = at;
    });
    ends.push(at);
  });
  return Math.max(...ends);
}

/** Tokens of a typical pair, which decide how much attention costs. */
const pairTokens = 100;
/** Cost of a multiplication in attention and of an embedding, in multiplications of a linear layer, as in src/model/plan/parts.rs. */
const [attentionCost, embedCost] = [1, 150_000];

/**
 * Returns the share of the time that each part of a BERT with these cuts takes.
 * @param {{ layers: number, hidden: number, intermediate: number }} shape
 * @param {number[]} cuts indices of steps: 0 and 1 are the embeddings, then each layer has 2
 */
export function partShares({ layers, hidden, intermediate }, cuts) {
  const attention = 4 * hidden * hidden + 2 * attentionCost * pairTokens * hidden;
  const feedForward = 2 * hidden * intermediate;
  const costs = [embedCost, 0, ...Array.from({ length: layers - 1 }, () => [attention, feedForward]).flat(), 2 * hidden * hidden, 0];
  const total = costs.reduce((sum, cost) => sum + cost);
  const ends = [...cuts, costs.length];
  return ends.map((end, part) => costs.slice(part === 0 ? 0 : ends[part - 1], end).reduce((sum, cost) => sum + cost, 0) / total);
}
