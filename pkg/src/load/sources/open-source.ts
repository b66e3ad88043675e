import { notCached } from "../offline.js";
import type { FileSource, ModelLocation, SourceContext } from "../stages.js";
import { GivenSource } from "./given.js";
import { LocalSource } from "./local.js";
import { RemoteSource } from "./remote.js";

/**
 * Opens the location of a model. No file is requested yet.
 * @throws RankletError `network` for files on a server if requests are forbidden
 */
export function openSource(location: ModelLocation, context: SourceContext): FileSource {
  switch (location.kind) {
    case "given":
      return new GivenSource(location, context);
    case "local":
      return new LocalSource(location, context);
    case "remote":
      if (context.offline !== undefined) throw notCached(location, context.offline);
      return new RemoteSource(location, context);
  }
}
