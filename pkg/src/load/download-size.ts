import type { RankletError } from "../errors.js";
import { configFile, fixedFiles, type ModelFile, moduleLayout, weightsForms } from "../model/model-files.js";
import type { Platform } from "../platform/platform.js";
import type { LoadOptions, ModelSource } from "../types.js";
import { abortable, withAbortController } from "../util/abort.js";
import { collectFiles } from "./collect.js";
import { openCache } from "./keep.js";
import { planLoad } from "./locate.js";
import { openSource } from "./sources/open-source.js";
import type { FileSource, OpenedFile } from "./stages.js";

/** Files that tell which others a model has, besides the indices of weights. */
const listingNames: readonly string[] = [
  configFile.name,
  moduleLayout.list,
  moduleLayout.readIf.file,
  ...fixedFiles.flatMap(({ unlisted = false }) => (unlisted === false ? [] : [unlisted.file])),
];

/**
 * Returns the number of bytes that `load` would download: 0 for a model that is in the cache or needs no download. Large files
 * are requested, and not read.
 * @throws RankletError as `load` does for its arguments and for files that are missing
 */
export async function downloadSize(platform: Platform, source: ModelSource | undefined, options: LoadOptions | undefined): Promise<number> {
  const plan = planLoad(platform, source, options);
  if (plan.location.kind === "local") return 0;
  const cache = openCache(platform, plan);
  if (cache !== undefined && !cache.refresh && (await cache.model.isComplete())) return 0;
  const { weights, signal: callerSignal } = plan.options;
  return withAbortController(callerSignal, async ({ signal }) => {
    const reading = { entry: undefined, arrives: false, signal, onProgress: undefined };
    const measuring = new MeasuringSource(openSource(platform, plan, reading));
    const files = await abortable(collectFiles(measuring, weights), signal);
    // For other files, an engine would explain what is wrong.
    const hasWeights = (weights === undefined ? weightsForms : [weights]).some(({ name }) => files.has(name));
    if (!hasWeights) throw weights === undefined ? measuring.missingWeights() : measuring.missing(weights);
    return measuring.bytes;
  });
}

/** Adds up the lengths of files instead of reading those that are large. */
class MeasuringSource implements FileSource {
  bytes = 0;
  readonly opensConfigFirst: boolean;
  readonly pageIsMissing: boolean;
  readonly skipsUnneededFiles: boolean;
  readonly #source: FileSource;

  constructor(source: FileSource) {
    this.opensConfigFirst = source.opensConfigFirst;
    this.pageIsMissing = source.pageIsMissing;
    this.skipsUnneededFiles = source.skipsUnneededFiles;
    this.#source = source;
  }

  list(): Promise<ReadonlySet<string> | undefined> {
    return this.#source.list();
  }

  restrict(names: ReadonlySet<string>): void {
    this.#source.restrict(names);
  }

  skip(file: ModelFile): void {
    this.#source.skip(file);
  }

  async open(file: ModelFile): Promise<OpenedFile | undefined> {
    const opened = await this.#source.open(file);
    return opened && { name: opened.name, read: () => this.#measure(opened) };
  }

  announce(): void {}

  missing(file: ModelFile): RankletError {
    return this.#source.missing(file);
  }

  missingWeights(): RankletError {
    return this.#source.missingWeights();
  }

  /**
   * Reads the files that tell which others there are, and those whose length is not known. Responses and streams of the caller are
   * left for `load`; the files that only they list are not counted.
   */
  async #measure(opened: OpenedFile): Promise<Blob> {
    const { name, length, isReadOnce, cancel } = opened;
    if (isReadOnce === true) return new Blob();
    if (cancel === undefined) return opened.read();
    if (length !== undefined && !listingNames.includes(name) && !name.endsWith(".index.json")) {
      this.bytes += length;
      await cancel();
      return new Blob();
    }
    const content = await opened.read();
    this.bytes += content.size;
    return content;
  }
}
