import { RankletError } from "../../errors.js";
import { ArrivingFile, type ArrivingFiles } from "../../model/arriving-file.js";
import type { ModelFiles } from "../../model/model-files.js";
import type { Scorer } from "../../scoring/scorer.js";
import { abortable, withAbortController } from "../../util/abort.js";

/**
 * Starts an engine while its weights arrive. If a download begins again meanwhile, as with another version of the file, the
 * engine starts again when all files are complete, even if it was ready.
 * @param whole the complete files, verified
 * @param start starts an engine with files
 * @throws RankletError the first error of the files and of `start`
 */
export async function startWhileArriving(
  files: ArrivingFiles,
  whole: Promise<ModelFiles>,
  start: (files: ArrivingFiles, signal: AbortSignal) => Promise<Scorer>,
  signal: AbortSignal,
): Promise<Scorer> {
  const arriving = [...files.values()].filter((file) => file instanceof ArrivingFile);
  const isInvalid = (): boolean => arriving.some((file) => file.isInvalid);
  if (arriving.length > 0 && !isInvalid()) {
    try {
      return await withAbortController(signal, async (controller) => {
        for (const file of arriving) file.onInvalidated = () => controller.abort();
        const starting = start(files, controller.signal);
        try {
          await abortable(Promise.all([starting, whole]), controller.signal);
        } catch (error) {
          // Only the first error counts: an engine that starts after all is not needed, and its error follows from the first.
          starting.then(
            (scorer) => scorer.dispose(),
            () => {},
          );
          throw error;
        }
        return starting;
      });
    } catch (error) {
      if (signal.aborted || !isInvalid()) throw orDamaged(error, arriving);
    }
  }
  return start(await abortable(whole, signal), signal);
}

/** Adds to an engine's error about weights that they may be damaged, if the check after their download has not taken place. */
function orDamaged(error: unknown, arriving: readonly ArrivingFile[]): unknown {
  if (!(error instanceof RankletError) || error.code !== "weights" || !arriving.some((file) => file.isArriving)) return error;
  return new RankletError("weights", `${error.message}; the weights were still being downloaded, and may be damaged: try again`, {
    cause: error,
  });
}
