// Processor time of a page's tasks. `longtask` entries have wall-clock time, which depends on the other load of the machine.

/**
 * Returns the number of tasks on the main threads of pages during `run`, and the processor time of the longest in milliseconds.
 * @param {() => Promise<void>} run
 */
export async function longestTaskWhile(browser, page, run) {
  await browser.startTracing(page, { categories: ["toplevel"] });
  await run();
  const { traceEvents } = JSON.parse(String(await browser.stopTracing()));
  const mains = new Set(traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(thread));
  const times = traceEvents
    .filter((event) => event.name === "ThreadControllerImpl::RunTask" && event.tdur && mains.has(thread(event)))
    .map(({ tdur }) => tdur / 1000);
  return { tasks: times.length, longest: times.reduce((longest, time) => Math.max(longest, time), 0) };
}

function thread({ pid, tid }) {
  return `${pid} ${tid}`;
}
