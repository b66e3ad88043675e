// Engines side by side: every repetition goes through all of them with the same new work, so that what else the
// machine does in the meantime falls on all alike.

/** A call that takes longer than this has hung. */
const patienceMs = 20 * 60_000;

/**
 * Opens engines and warms them up. One that is not in this build, or fails, is noted and left out.
 * @param {object} warmUp a work
 * @returns {Promise<{ engine, runner, scores: number[] }[]>} `scores` are the warm-up's
 */
export async function openAll(engines, warmUp, notes) {
  const opened = [];
  for (const engine of engines) {
    const started = await attempt(engine, notes, async () => {
      const runner = await patient(engine.open());
      const { scores, tokens } = await patient(runner.score(warmUp));
      check(warmUp, scores, tokens);
      return { engine, runner, scores };
    });
    if (started !== undefined) opened.push(started);
  }
  return opened;
}

/** Closes what `openAll` opened. */
export async function closeAll(opened) {
  for (const { runner } of opened) await runner.close();
}

/**
 * Measures opened engines with works of one size.
 * @param {() => object} nextWork
 * @returns {Promise<{ documents: number, tokens: number[], engines: { id, ms: number[], backend }[] }>} an engine that fails
 *   on the way is noted, closed and left out
 */
export async function interleave(opened, { documents, repetitions, nextWork }, notes) {
  const times = new Map(opened.filter(({ engine }) => documents <= (engine.most ?? Infinity)).map((one) => [one, []]));
  const tokens = [];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const work = nextWork();
    tokens.push(work.tokens);
    // Another one goes first each time.
    const order = [...times.keys()];
    order.push(...order.splice(0, repetition % Math.max(order.length, 1)));
    for (const one of order) {
      const { engine, runner } = one;
      const ms = await attempt(engine, notes, async () => {
        const answer = await patient(runner.score(work));
        check(work, answer.scores, answer.tokens);
        return answer.ms;
      });
      if (ms === undefined) {
        times.delete(one);
        opened.splice(opened.indexOf(one), 1);
        await runner.close();
      } else times.get(one).push(ms);
    }
    console.error(`  ${documents} documents, ${repetition + 1} of ${repetitions}`);
  }
  return { documents, tokens, engines: [...times].map(([{ engine, runner }, ms]) => ({ id: engine.id, ms, backend: runner.loaded.backend })) };
}

/** Runs one step of an engine; what goes wrong becomes a note: { id, error, unsupported }. */
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

/** Every document has a score, and an engine that counts tokens counted what the work says. */
function check(work, scores, tokens) {
  if (scores.length !== work.documents.length || !scores.every(Number.isFinite)) throw new Error("not every document got a score");
  if (tokens !== undefined && tokens !== work.tokens) throw new Error(`${tokens} tokens were scored, and the work has ${work.tokens}`);
}

function patient(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${patienceMs / 60_000} minutes`)), patienceMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
