import { RankletError } from "../errors.js";
import type { ModelLocation, RemoteFolder } from "./stages.js";

/** Returns what forbids requests for a model, as errors say it; `undefined` if they are allowed. */
export function offlineReason(location: ModelLocation, localFilesOnly: boolean): string | undefined {
  if (localFilesOnly) return "the option localFilesOnly is set";
  const variable = location.kind === "remote" ? location.hub?.offline : undefined;
  return variable === undefined ? undefined : `the environment variable ${variable} is set`;
}

/** Creates the error for a model that is not in the cache and cannot be downloaded. */
export function notCached({ folder, hub }: RemoteFolder, offline: string): RankletError {
  const model = hub === undefined ? folder.href : `"${hub.id}" with the revision "${hub.revision}"`;
  return new RankletError("network", `${model} is not in the cache and cannot be downloaded, because ${offline}; load it once without that, with the same cache`);
}
