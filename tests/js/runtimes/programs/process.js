// A process of Node, Deno or Bun in which the probe runs. "probe" prints its report and disposes the reranker, "forget" ranks
// and leaves the reranker as it is. Either way, the process must end by itself.
import { probe } from "../probe.js";

const [mode, entry] = process.argv.slice(2);
const importPackage = () => import(entry);
if (mode === "forget") {
  const { Reranker } = await importPackage();
  const reranker = await Reranker.load();
  await reranker.rank("q", ["a", "b"]);
} else {
  const { report, finish } = await probe({ importPackage, memory: () => process.memoryUsage.rss() });
  console.log(JSON.stringify({ report, afterDispose: await finish() }));
}
