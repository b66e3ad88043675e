import type { WeightsForm } from "../../model/model-files.js";
import { notCached } from "../offline.js";
import type { FileSource, ModelLocation, SourceContext } from "../stages.js";
import { GivenSource } from "./given.js";
import { LocalSource } from "./local.js";
import { RemoteSource } from "./remote.js";

/**
 * Opens the location of a model. No file is requested yet.
 * @param weights the file that the caller chose as the weights
 * @throws RankletError `network` for files on a server if requests are forbidden
 */
export function openSource(location: ModelLocation, weights: WeightsForm | undefined, context: SourceContext): FileSource {
  switch (location.kind) {
    case "given":
      return new GivenSource(location, context);
    case "local":
      return new LocalSource(location, context);
    case "remote":
      if (context.offline !== undefined) throw notCached(location, weights, context.offline);
      return new RemoteSource(location, context);
  }
}
