import type { Platform } from "../../platform/platform.js";
import { MemoryBudget } from "../memory-budget.js";
import { notCached } from "../offline.js";
import type { FileSource, LoadPlan, SourceContext } from "../stages.js";
import { GivenSource } from "./given.js";
import { LocalSource } from "./local.js";
import { RemoteSource } from "./remote.js";

/**
 * Opens the location of a model. No file is requested yet.
 * @throws RankletError `network` for files on a server if requests are forbidden
 */
export function openSource(
  platform: Platform,
  { options, location, offline }: LoadPlan,
  reading: Pick<SourceContext, "entry" | "arrives" | "signal" | "onProgress">,
): FileSource {
  const context: SourceContext = { ...reading, platform, budget: new MemoryBudget(options.settings), offline, fetch: options.fetch };
  switch (location.kind) {
    case "given":
      return new GivenSource(location, context);
    case "local":
      return new LocalSource(location, context);
    case "remote":
      if (offline !== undefined) throw notCached(location, options.weights, offline);
      return new RemoteSource(location, context);
  }
}
