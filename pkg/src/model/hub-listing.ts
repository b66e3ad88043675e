import { isObject } from "../util/check.js";
import { type RequestOptions, readBody, request } from "../util/request.js";
import { commitOf, type HubModel } from "./hub.js";
import { parseJson } from "./manifest.js";
import { maxListedFiles } from "./model-files.js";

/** Max length of the list. An entry takes about 300 bytes. */
const maxListingBytes = 4096 * maxListedFiles;

/** A large file in the list of a Hub. */
interface LargeFile {
  /** In hexadecimal. */
  readonly sha256: string;
  readonly bytes: number | undefined;
}

/** The files of a model, as a Hub lists them. */
export interface HubListing {
  readonly files: ReadonlySet<string>;
  readonly large: ReadonlyMap<string, LargeFile>;
  /** The commit that has them, if the Hub names it. */
  readonly commit: string | undefined;
}

/**
 * Asks a Hub for the files of a model. Returns `undefined` if it does not answer with a list, such as a server that only has the
 * files. Then the requests for the files themselves tell what is wrong, if anything is.
 */
export async function listHub(
  { listing, token }: HubModel,
  { signal, fetch }: Pick<RequestOptions, "signal" | "fetch">,
): Promise<HubListing | undefined> {
  try {
    const response = await request(listing, { signal, fetch, token: token?.value });
    if (response.status === 200) return parseListing(parseJson(await (await readBody(response, maxListingBytes)).text()));
    await response.body?.cancel();
  } catch {
    // The requests for the files themselves fail too then, or the server has the files and no list.
  }
  return undefined;
}

function parseListing(answer: unknown): HubListing | undefined {
  if (!isObject(answer)) return undefined;
  const { siblings, sha } = answer;
  if (!Array.isArray(siblings) || siblings.length > maxListedFiles) return undefined;
  const names = siblings.map((file: unknown) => (isObject(file) ? file["rfilename"] : undefined));
  const files = new Set(names.filter((name) => typeof name === "string"));
  const large = siblings.map(largeFile).filter((file) => file !== undefined);
  return { files, large: new Map(large), commit: commitOf(typeof sha === "string" ? sha : undefined) };
}

/** Returns the name of a large file and what the list says about it. */
function largeFile(file: unknown): readonly [name: string, file: LargeFile] | undefined {
  const { rfilename, lfs } = isObject(file) ? file : {};
  const { sha256, size } = isObject(lfs) ? lfs : {};
  if (typeof rfilename !== "string" || typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  return [rfilename, { sha256, bytes: Number.isSafeInteger(size) ? (size as number) : undefined }];
}
