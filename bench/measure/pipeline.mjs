// Predicts the time of a chain of workers from the times of their stages.

/** Micro-batches in flight at a time, as in pkg/src/engine/pipeline/pipelined-scoring.ts. */
const maxInFlight = (workers) => 2 * (workers - 1) + 1;

/**
 * Returns the milliseconds from the start of the first micro-batch to the end of the last. Each worker computes one at a time,
 * in order; the first begins one only while fewer than the maximum are in flight.
 * @param {number[][]} times for each micro-batch, its milliseconds in each worker
 */
export function pipelineMs(times) {
  const workers = times[0].length;
  const ends = [];
  const free = new Array(workers).fill(0);
  times.forEach((stages, batch) => {
    let at = ends[batch - maxInFlight(workers)] ?? 0;
    stages.forEach((ms, worker) => {
      at = Math.max(at, free[worker]) + ms;
      free[worker] = at;
    });
    ends.push(at);
  });
  return Math.max(...ends);
}

/** Tokens of a typical pair, which decide how much attention costs. */
const pairTokens = 100;
/** Cost of a multiplication in attention and of an embedding, in multiplications of a linear layer, as in src/model/plan/stages.rs. */
const [attentionCost, embedCost] = [1, 150_000];

/**
 * Returns the share of the time that each stage of a BERT with these split points takes.
 * @param {{ layers: number, hidden: number, intermediate: number }} shape
 * @param {number[]} splitPoints indices of steps: 0 and 1 are the embeddings, then each layer has 2
 */
export function stageShares({ layers, hidden, intermediate }, splitPoints) {
  const attention = 4 * hidden * hidden + 2 * attentionCost * pairTokens * hidden;
  const feedForward = 2 * hidden * intermediate;
  const costs = [embedCost, 0, ...Array.from({ length: layers - 1 }, () => [attention, feedForward]).flat(), 2 * hidden * hidden, 0];
  const total = costs.reduce((sum, cost) => sum + cost);
  const ends = [...splitPoints, costs.length];
  return ends.map((end, stage) => costs.slice(stage === 0 ? 0 : ends[stage - 1], end).reduce((sum, cost) => sum + cost, 0) / total);
}
