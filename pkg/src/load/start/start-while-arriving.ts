import { ArrivingFile, type ArrivingFiles } from "../../model/arriving-file.js";
import type { ModelFiles } from "../../model/model-files.js";
import type { Scorer } from "../../scoring/scorer.js";
import { abortable, withAbortController } from "../../util/abort.js";

/**
 * Starts an engine while its weights arrive. If a download begins again meanwhile, as with another version of the file, the
 * engine starts anew when all files are complete.
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
  const isRestarted = (): boolean => arriving.some((file) => file.isRestarted);
  if (arriving.length > 0 && !isRestarted()) {
    try {
      return await withAbortController(signal, async (controller) => {
        for (const file of arriving) file.onRestart = () => controller.abort();
        const starting = start(files, controller.signal);
        try {
          await Promise.all([starting, whole]);
        } catch (error) {
          starting.then((scorer) => scorer.dispose(), () => {}); // The first error counts.
          throw error;
        }
        return starting;
      });
    } catch (error) {
      if (!isRestarted() || signal.aborted) throw error;
    }
  }
  return start(await abortable(whole, signal), signal);
}
