import { RankletError } from "../errors.js";
import { Download, commitOf, type Fetching } from "../model/download.js";
import { configFile, gather, modelFiles, otherFiles, type Files, type FilesPlace, type ModelFile, type Read } from "../model/model-files.js";
import { hubAdvice } from "../model/hub.js";
import { readModules } from "../model/module-list.js";
import type { DownloadTally } from "./progress.js";
import type { Room } from "./memory-budget.js";
import type { RemoteFolder } from "./locate.js";
import { noWeights, readWeights } from "../model/weights-index.js";

/**
 * Downloads a model's files, all of one commit.
 * @throws RankletError `network`; `integrity` for files of different commits; `out-of-memory` for weights that there is
 *   no room for
 */
export async function downloadFolder(source: RemoteFolder, room: Room, signal: AbortSignal, tally: DownloadTally): Promise<Files> {
  const folder = new FolderDownload(source, room, signal, tally);
  const { hub } = source;
  if (hub === undefined) return folder.gather(modelFiles.map((file) => folder.file(file, source.folder)), source.folder);
  // What a branch means can change at any time. The first answer says which commit it is now, and all others are asked
  // for by that commit; the answers themselves would not do, for large files come from servers that do not name one.
  const config = await folder.open(configFile, source.folder);
  const commit = config?.commit;
  const pinned = commit === undefined ? source.folder : hub.folder(commit);
  return folder.gather([folder.finish(configFile, config), ...otherFiles.map((file) => folder.file(file, pinned))], pinned);
}

class FolderDownload {
  readonly #source: RemoteFolder;
  readonly #room: Room;
  readonly #tally: DownloadTally;
  readonly #fetching: Fetching;
  #commit: string | undefined;

  constructor(source: RemoteFolder, room: Room, signal: AbortSignal, tally: DownloadTally) {
    const { hub } = source;
    this.#source = source;
    this.#room = room;
    this.#tally = tally;
    this.#commit = commitOf(hub?.revision);
    this.#fetching =
      hub === undefined
        ? { signal, pageIsMissing: true }
        : { signal, token: hub.token, pageIsMissing: false, advice: (status) => hubAdvice(hub, status) };
  }

  /** Waits for files that have been asked for, and downloads those whose names are in other files. */
  gather(files: readonly Promise<Read>[], folder: URL): Promise<Files> {
    const place = this.#place(folder);
    return gather(files, this.#weights(place, folder), (list) => readModules(list, place));
  }

  async #weights(place: FilesPlace, folder: URL): Promise<readonly (readonly [string, Blob])[]> {
    const read = await readWeights(place);
    if (read.length > 0) return read;
    throw new RankletError("network", noWeights(`${folder.href} answered ${this.#missing()}`));
  }

  #place(folder: URL): FilesPlace {
    return {
      open: async (file) => {
        const download = await this.open(file, folder);
        if (download !== undefined) return () => this.#bytes(file, download);
        this.#tally.tell(file.name, 0, 0);
        return undefined;
      },
      onFound: (names) => this.#tally.found(names),
    };
  }

  async file(file: ModelFile, folder: URL): Promise<Read> {
    return this.finish(file, await this.open(file, folder));
  }

  /** Asks for a file; `undefined` where there is none and the model does without. */
  async open(file: ModelFile, folder: URL): Promise<Download | undefined> {
    const url = new URL(file.name, folder);
    const download = await Download.open(url, this.#fetching);
    if (download === undefined && file.needed) throw new RankletError("network", `${file.name} is missing: ${url.href} answered ${this.#missing()}`);
    if (download !== undefined) this.#expectCommit(download);
    if (file.code === "weights") this.#room.expect(download?.length);
    this.#tally.expect(file.name, download?.length ?? (download === undefined ? 0 : undefined));
    return download;
  }

  /** Waits for the bytes of a file that `open` gave. */
  async finish(file: ModelFile, download: Download | undefined): Promise<Read> {
    if (download !== undefined) return [file.name, await this.#bytes(file, download)];
    this.#tally.tell(file.name, 0, 0);
    return [file.name, undefined];
  }

  #bytes({ name }: ModelFile, download: Download): Promise<Blob> {
    return download.bytes((loaded, total) => this.#tally.tell(name, loaded, total));
  }

  #expectCommit({ url, commit }: Download): void {
    this.#commit ??= commit;
    if (commit === undefined || commit === this.#commit) return;
    throw new RankletError(
      "integrity",
      `${url.href} is of commit ${commit} where ${this.#commit} was expected: the model was changed while it was downloaded; try again`,
    );
  }

  #missing(): string {
    const { hub } = this.#source;
    return hub === undefined ? "404 or a page of HTML" : `404; ${hubAdvice(hub, 404)}`;
  }
}
