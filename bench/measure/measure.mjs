// Measures engines side by side. In each repetition all engines score the same new workload, so that other load on the
// machine affects all of them alike.

/** A call that takes longer counts as hung. */
const timeoutMs = 20 * 60_000;

/**
 * Opens engines and warms them up. An engine that fails or is not in this build is noted and left out.
 * @param {object} warmUp a workload
 * @returns {Promise<{ engine, runner, scores: number[] }[]>} `scores` are those of the warm-up
 */
export async function openAll(engines, warmUp, notes) {
  const opened = [];
  for (const engine of engines) {
    const started = await attempt(engine, notes, async () => {
      const runner = await withTimeout(engine.open());
      const { scores, tokens } = await withTimeout(runner.score(warmUp));
      checkAnswer(warmUp, scores, tokens);
      return { engine, runner, scores };
    });
    if (started !== undefined) opened.push(started);
  }
  return opened;
}

/** Closes engines that `openAll` opened. */
export async function closeAll(opened) {
  for (const { runner } of opened) await runner.close();
}

/**
 * Measures open engines with workloads of one size.
 * @param {() => object} nextWorkload
 * @returns {Promise<{ documents: number, tokens: number[], engines: { id, ms: number[], backend }[] }>} an engine that
 *   fails is noted, closed and left out
 */
export async function interleave(opened, { documents, repetitions, nextWorkload }, notes) {
  const times = new Map(opened.filter(({ engine }) => documents <= (engine.maxDocuments ?? Infinity)).map((one) => [one, []]));
  const tokens = [];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const workload = nextWorkload();
    tokens.push(workload.tokens);
    // Each repetition starts with another engine.
    const order = [...times.keys()];
    order.push(...order.splice(0, repetition % Math.max(order.length, 1)));
    for (const candidate of order) {
      const { engine, runner } = candidate;
      const ms = await attempt(engine, notes, async () => {
        const answer = await withTimeout(runner.score(workload));
        checkAnswer(workload, answer.scores, answer.tokens);
        return answer.ms;
      });
      if (ms === undefined) {
        times.delete(candidate);
        opened.splice(opened.indexOf(candidate), 1);
        await runner.close();
      } else times.get(candidate).push(ms);
    }
    console.error(`  ${documents} documents, ${repetition + 1} of ${repetitions}`);
  }
  return {
    documents,
    tokens,
    engines: [...times].map(([{ engine, runner }, ms]) => ({ id: engine.id, ms, backend: runner.loaded.backend })),
  };
}

/** Runs one step of an engine. An error becomes a note { id, error, unsupported }, and the result is undefined. */
export async function attempt(engine, notes, step) {
  try {
    return await step();
  } catch (error) {
    const unsupported = engine.peer?.startsWith("ranklet") && (error.code === "unsupported" || /this build/.test(error.message));
    notes.push({ id: engine.id, error: error.message, unsupported });
    console.error(`  ${engine.id}: ${unsupported ? "not in this build" : "FAILED"}: ${error.message}`);
    return undefined;
  }
}

/** Throws unless every document has a score and the engine's token count, if it has one, is that of the workload. */
function checkAnswer(workload, scores, tokens) {
  if (scores.length !== workload.documents.length || !scores.every(Number.isFinite)) throw new Error("not every document has a score");
  if (tokens !== undefined && tokens !== workload.tokens)
    throw new Error(`the engine counted ${tokens} tokens, and the workload has ${workload.tokens}`);
}

function withTimeout(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 60_000} minutes`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
