import { withWarnings } from "../engine/info.js";
import { RankletError } from "../errors.js";
import type { Platform } from "../platform/platform.js";
import type { LoadedModel, ModelLocation } from "./stages.js";

/**
 * Waits for a model. If a Hub id is also the path of something here, a failed download says so in its error, and a loaded
 * model in a warning.
 */
export async function withLocalPath(platform: Platform, location: ModelLocation, loading: Promise<LoadedModel>): Promise<LoadedModel> {
  const id = location.kind === "remote" ? location.hub?.id : undefined;
  if (id === undefined) return loading;
  const here = `there is a "./${id}" here too`;
  try {
    const { scorer, info } = await loading;
    const warnings = platform.hasPath(id) ? [`${here}; the model was loaded from the Hub, because a path starts with "./"`] : [];
    return { scorer, info: withWarnings(info, warnings) };
  } catch (error) {
    if (!(error instanceof RankletError) || error.code !== "network" || !platform.hasPath(id)) throw error;
    throw new RankletError(error.code, `${error.message}; ${here}: to load that folder, give the path with "./"`, { cause: error });
  }
}
