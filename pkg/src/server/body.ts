import { isObject, kindOf } from "../util/check.js";
import { wellFormed } from "../util/well-formed.js";
import { HttpError } from "./http-error.js";

/** Limits on reading a body. */
interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
}

/** The escape of a surrogate. `JSON.stringify` writes one that is alone, and clients in other languages cannot read it in an answer. */
const surrogateEscape = /\\ud[89a-f]/i;

/**
 * Reads a body that is a JSON object. Half of an emoji in it becomes U+FFFD.
 * @throws HttpError 400 for other content and for a client that is too slow, 413 for more bytes than the limit
 */
export async function readJsonObject(request: Request, limits: BodyLimits): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readBytes(request, limits);
  let value: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    value = surrogateEscape.test(text)
      ? JSON.parse(text, (_key, item: unknown) => (typeof item === "string" ? wellFormed(item) : item))
      : JSON.parse(text);
  } catch (error) {
    throw new HttpError(400, bytes.length === 0 ? "the body is empty; send a JSON object" : "the body is not valid JSON in UTF-8", {
      cause: error,
    });
  }
  if (isObject(value)) return value;
  throw new HttpError(400, `the body must be a JSON object, not ${kindOf(value)}`);
}

/** Reads the whole body, without holding more than the limit. */
async function readBytes(request: Request, { maxBodyBytes, bodyTimeoutMs }: BodyLimits): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length")) > maxBodyBytes) throw tooLarge(maxBodyBytes);
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    // 408 would be retried by some clients.
    timer = setTimeout(() => reject(new HttpError(400, `the body did not arrive within ${bodyTimeoutMs} ms`)), bodyTimeoutMs);
  });
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), timeout]);
      if (done) return joined(chunks, length);
      length += value.length;
      if (length > maxBodyBytes) throw tooLarge(maxBodyBytes);
      chunks.push(value);
    }
  } catch (error) {
    reader.cancel(error).catch(() => {});
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, "the body was cut off", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let start = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, start);
    start += chunk.length;
  }
  return bytes;
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `the body has more than ${maxBytes} bytes; send fewer documents per request`);
}
