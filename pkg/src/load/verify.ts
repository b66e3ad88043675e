import { RankletError } from "../errors.js";
import { commitOf } from "../model/hub.js";
import type { ModelFile } from "../model/model-files.js";
import { TransientError } from "../util/request.js";
import type { MemoryBudget } from "./memory-budget.js";

/**
 * The number of bytes by which a small file can grow when a server compresses it (gzip: 23). Browsers hide from pages of
 * other origins that it did. A file that is cut by so little is rejected by its parser.
 */
const maxCompressionOverhead = 32;

/** What a server announces about a file. */
export interface AnnouncedFile {
  readonly url: URL;
  /** The commit that the file is from, if the server is a Hub and says so. */
  readonly commit: string | undefined;
  /** In bytes, if the server says so. */
  readonly length: number | undefined;
}

/** Checks the downloads of one model before their content is read. */
export class DownloadVerifier {
  readonly #budget: MemoryBudget;
  #commit: string | undefined;

  /** @param revision a branch, tag or commit; only a commit's full hash says which one to expect */
  constructor(revision: string | undefined, budget: MemoryBudget) {
    this.#commit = commitOf(revision);
    this.#budget = budget;
  }

  /**
   * @throws RankletError `integrity` for a file of another commit than those before it, `out-of-memory` for weights that
   *   exceed the budget
   */
  check(file: ModelFile, announced: AnnouncedFile): void {
    this.#checkCommit(announced);
    if (file.code === "weights") this.#budget.reserve(announced.length);
  }

  #checkCommit({ url, commit }: AnnouncedFile): void {
    this.#commit ??= commit;
    checkCommit(url, commit, this.#commit);
  }
}

/** @throws RankletError `integrity` if a file is not of the expected commit, where both are known */
export function checkCommit(url: URL, commit: string | undefined, expected: string | undefined): void {
  if (commit === undefined || expected === undefined || commit === expected) return;
  throw new RankletError(
    "integrity",
    `${url.href} is of commit ${commit} where ${expected} was expected: the model was changed while it was downloaded; try again`,
  );
}

/**
 * Checks the SHA-256 of a downloaded file.
 * @throws RankletError `integrity` unless it has each of the expected ones
 */
export function checkHash(url: URL, hash: string | undefined, expected: readonly string[]): void {
  const other = expected.find((sha256) => sha256 !== hash);
  if (other === undefined) return;
  throw new RankletError(
    "integrity",
    `${url.href} has the SHA-256 ${hash} where ${other} was expected: it is damaged, or another file; try again`,
  );
}

/** The length of a file as a server announces it. */
export interface AnnouncedLength {
  readonly bytes: number;
  /** Whether it is the file's own length (a Hub's `x-linked-size`), not that of a response body. */
  readonly exact: boolean;
  /** Whether the body may have been compressed without this runtime knowing. */
  readonly mayBeCompressed: boolean;
}

/**
 * Checks the length of a downloaded file.
 * @param announced `undefined` if the server did not say
 * @throws RankletError `network` for a file that was cut, or is longer than announced
 */
export function checkLength(url: URL, loaded: number, announced: AnnouncedLength | undefined): void {
  if (announced === undefined) return;
  const { bytes, exact, mayBeCompressed } = announced;
  if (loaded < bytes - (!exact && mayBeCompressed ? maxCompressionOverhead : 0)) {
    throw new TransientError(`${url.href} ended after ${loaded} of ${bytes} bytes; try again`);
  }
  if (exact && loaded > bytes) {
    throw new RankletError("network", `${url.href} has ${loaded} bytes instead of the ${bytes} that the server announced`);
  }
}
