import { HttpError } from "./http-error.js";

/** Checks the keys of clients. */
export class KeyCheck {
  readonly #digests: Promise<readonly Uint8Array[]>;
  readonly #needed: boolean;

  constructor(keys: readonly string[]) {
    this.#needed = keys.length > 0;
    this.#digests = this.#needed ? Promise.all(keys.map(digest)) : Promise.resolve([]);
  }

  /**
   * Checks the key of a request, which is `Authorization: Bearer KEY`, or `Authorization: KEY` as LlamaIndex sends it for TEI.
   * The digests are compared in constant time, so that the time of the answer says nothing about a key.
   * @throws HttpError 401 if the key is missing or wrong
   */
  async check(headers: Headers): Promise<void> {
    if (!this.#needed) return;
    const authorization = headers.get("authorization") ?? "";
    const key = await digest(authorization.replace(/^bearer +/i, ""));
    let isKnown = false;
    for (const known of await this.#digests) isKnown = isEqual(key, known) || isKnown;
    if (isKnown) return;
    const message = authorization === "" ? "an API key is needed: send it as Authorization: Bearer KEY" : "the API key is wrong";
    throw new HttpError(401, message, { headers: { "www-authenticate": "Bearer" } });
  }
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Compares two arrays of the same length, always all of their bytes. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.reduce((difference, byte, index) => difference | (byte ^ (b[index] as number)), 0) === 0;
}

/** Returns the headers that let a page of another origin read the answer. */
export function corsHeaders(origins: readonly string[], request: Request): Readonly<Record<string, string>> {
  if (origins.length === 0) return {};
  if (origins.includes("*")) return { "access-control-allow-origin": "*" };
  const origin = request.headers.get("origin");
  const isAllowed = origin !== null && origins.includes(origin);
  return { vary: "origin", ...(isAllowed && { "access-control-allow-origin": origin }) };
}

/** The headers of the answer to a preflight request, after those of `corsHeaders`. */
export const preflightHeaders = {
  "access-control-allow-methods": "GET, POST, OPTIONS",
  "access-control-allow-headers": "authorization, content-type",
  "access-control-max-age": "86400",
} as const;
