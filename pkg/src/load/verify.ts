import { RankletError } from "../errors.js";
import { commitOf } from "../model/hub.js";
import { type ModelFile, maxBytesOf } from "../model/model-files.js";
import { TransientError } from "../util/request.js";
import type { MemoryBudget } from "./memory-budget.js";

/**
 * The number of bytes by which a small file can grow when a server compresses it (gzip: 23). Browsers hide from pages of
 * other origins that it did. A file that is cut by so little is rejected by its parser.
 */
const maxCompressionOverhead = 32;

/** A file as a server announces it. */
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
   * Returns the check of the number of bytes while the file arrives.
   * @throws RankletError `integrity` for a file of another commit than those before it, `out-of-memory` for weights that
   *   exceed the budget
   */
  check(file: ModelFile, announced: AnnouncedFile): ArrivalCheck {
    this.#checkCommit(announced);
    return arrivalCheck(file, announced, this.#budget);
  }

  #checkCommit({ url, commit }: AnnouncedFile): void {
    this.#commit ??= commit;
    checkCommit(url, commit, this.#commit);
  }
}

/**
 * Checks the number of bytes of a file that have arrived.
 * @throws RankletError `network` for a small file that is too large, `out-of-memory` for weights that exceed the budget
 */
export type ArrivalCheck = (loaded: number) => void;

/**
 * Returns the check of a file's bytes while they arrive, so that a server cannot send without end.
 * @throws RankletError `out-of-memory` for weights that are announced to exceed the budget
 */
export function arrivalCheck(file: ModelFile, { url, length = 0 }: AnnouncedFile, budget: MemoryBudget): ArrivalCheck {
  const maxBytes = maxBytesOf(file);
  if (maxBytes < Infinity) {
    return (loaded) => {
      if (loaded > maxBytes) throw new RankletError("network", `${url.href} has more than ${maxBytes} bytes, which ${file.name} may have`);
    };
  }
  budget.reserve(length);
  let reserved = length;
  return (loaded) => {
    if (loaded <= reserved) return;
    budget.reserve(loaded - reserved);
    reserved = loaded;
  };
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
 * Checks that no more bytes arrive than the server has announced.
 * @throws RankletError `network`
 */
export function checkNotLonger(url: URL, loaded: number, announced: AnnouncedLength | undefined): void {
  if (announced?.exact === true && loaded > announced.bytes)
    throw new RankletError("network", `${url.href} has more than the ${announced.bytes} bytes that the server announced`);
}

/**
 * Checks that a downloaded file has arrived to its end.
 * @param announced `undefined` if the server did not say
 * @throws RankletError `network` for a file that was cut
 */
export function checkComplete(url: URL, loaded: number, announced: AnnouncedLength | undefined): void {
  if (announced === undefined) return;
  const { bytes, exact, mayBeCompressed } = announced;
  if (loaded < bytes - (!exact && mayBeCompressed ? maxCompressionOverhead : 0))
    throw new TransientError(`${url.href} ended after ${loaded} of ${bytes} bytes; try again`);
}
