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

/** The headers of answers, beside the common ones, that a page may read. */
const exposed = { "access-control-expose-headers": "retry-after" } as const;

/** Returns the headers that let a page of another origin read the answer. */
export function corsHeaders(origins: readonly string[], request: Request): Readonly<Record<string, string>> {
  if (origins.length === 0) return {};
  if (origins.includes("*")) return { "access-control-allow-origin": "*", ...exposed };
  const origin = request.headers.get("origin");
  const isAllowed = origin !== null && origins.includes(origin);
  return { vary: "origin", ...(isAllowed && { "access-control-allow-origin": origin, ...exposed }) };
}

/**
 * Returns the headers of the answer to a preflight request, with those of `corsHeaders`. A page may send any header, because clients
 * send some of their own.
 */
export function preflightHeaders(origins: readonly string[], request: Request): Readonly<Record<string, string>> {
  const { vary, ...headers } = corsHeaders(origins, request);
  const requested = request.headers.get("access-control-request-headers");
  return {
    ...headers,
    "access-control-allow-methods": "GET, POST",
    ...(requested !== null && { "access-control-allow-headers": requested }),
    // A day in seconds, which is the most that Firefox accepts. Other browsers accept less.
    "access-control-max-age": "86400",
    vary: [vary, "access-control-request-headers"].filter((name) => name !== undefined).join(", "),
  };
}
