import { messageOf, RankletError } from "../../errors.js";
import { fixedNames, type ModelFile, missingMessage, missingWeightsMessage } from "../../model/model-files.js";
import type { Platform } from "../../platform/platform.js";
import { ProgressTally } from "../progress.js";
import type { FileSource, LocalFolder, OpenedFile, SourceContext } from "../stages.js";

/** Reads files from a folder of the file system. */
export class LocalSource implements FileSource {
  readonly opensConfigFirst = false;
  readonly pageIsMissing = false;
  readonly skipsUnneededFiles = false;
  /** The folder with the files. */
  #folder: URL;
  readonly #platform: Platform;
  readonly #signal: AbortSignal;
  readonly #progress: ProgressTally;

  constructor({ folder }: LocalFolder, { platform, signal, onProgress }: SourceContext) {
    this.#folder = folder;
    this.#platform = platform;
    this.#signal = signal;
    this.#progress = new ProgressTally(fixedNames, onProgress);
  }

  /** Lists the folder. A folder of Hugging Face's cache is replaced by the snapshot in it. */
  async list(): Promise<ReadonlySet<string> | undefined> {
    const listed = this.#platform.listFolder(this.#folder);
    if (listed !== undefined) this.#folder = listed.folder;
    return listed?.files;
  }

  restrict(): void {}

  skip({ name }: ModelFile): void {
    this.#progress.report(name, 0, 0);
  }

  /** Reads the file at once: platforms report a missing file only when it is read. */
  async open(file: ModelFile): Promise<OpenedFile | undefined> {
    const content = await readLocal(file, () => this.#platform.readFile(new URL(file.name, this.#folder), this.#signal));
    const size = content?.size ?? 0;
    this.#progress.report(file.name, size, size);
    return content === undefined ? undefined : { name: file.name, read: () => Promise.resolve(content) };
  }

  announce(names: readonly string[]): void {
    this.#progress.addListed(names);
  }

  missing(file: ModelFile): RankletError {
    return new RankletError(file.code, missingMessage(file, `: there is no ${new URL(file.name, this.#folder).href}`));
  }

  missingWeights(): RankletError {
    return new RankletError("weights", missingWeightsMessage(`there is none in ${this.#folder.href}`));
  }
}

/** Reads a file, and gives a failure such as a missing permission the code of the file. */
export async function readLocal<T>(file: ModelFile, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RankletError) throw error;
    throw new RankletError(file.code, `${file.name} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
