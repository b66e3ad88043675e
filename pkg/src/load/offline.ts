import { RankletError } from "../errors.js";
import { pathAdvice } from "../model/hub.js";
import type { WeightsForm } from "../model/model-files.js";
import type { ModelLocation, RemoteFolder } from "./stages.js";

/** Returns what forbids requests for a model, as errors say it; `undefined` if they are allowed. */
export function offlineReason(location: ModelLocation, localFilesOnly: boolean): string | undefined {
  if (localFilesOnly) return "the option localFilesOnly is set";
  const variable = location.kind === "remote" ? location.hub?.offline : undefined;
  return variable === undefined ? undefined : `the environment variable ${variable} is set`;
}

/** Creates the error for a model that is not in the cache and cannot be downloaded. */
export function notCached({ folder, hub }: RemoteFolder, weights: WeightsForm | undefined, offline: string): RankletError {
  const place = hub === undefined ? folder.href : `"${hub.id}" with the revision "${hub.revision}"`;
  const model = weights === undefined ? place : `${place} with the weights "${weights.name}"`;
  return new RankletError(
    "network",
    `${model} is not in the cache and cannot be downloaded, because ${offline}; load it once without that, with the same cache${hub === undefined ? "" : ` ${pathAdvice}`}`,
  );
}
