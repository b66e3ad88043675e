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
  let value: unknown;
  try {
    const text = await readText(request, limits);
    if (text === "") throw new HttpError(400, "the body is empty; send a JSON object");
    value = surrogateEscape.test(text)
      ? JSON.parse(text, (_key, item: unknown) => (typeof item === "string" ? wellFormed(item) : item))
      : JSON.parse(text);
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, "the body is not valid JSON in UTF-8", { cause: error });
  }
  if (isObject(value)) return value;
  throw new HttpError(400, `the body must be a JSON object, not ${kindOf(value)}`);
}

/**
 * Reads the whole body, without holding more than the limit.
 * @throws HttpError; TypeError for bytes that are not UTF-8
 */
async function readText(request: Request, { maxBodyBytes, bodyTimeoutMs }: BodyLimits): Promise<string> {
  if (Number(request.headers.get("content-length")) > maxBodyBytes) throw tooLarge(maxBodyBytes);
  const reader = request.body?.getReader();
  if (reader === undefined) return "";
  // Decoded as it arrives, because the text and all bytes at once would take twice the memory.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let length = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    // 408 would be retried by some clients.
    timer = setTimeout(() => reject(new HttpError(400, `the body did not arrive within ${bodyTimeoutMs} ms`)), bodyTimeoutMs);
  });
  const next = () =>
    Promise.race([reader.read(), timeout]).catch((error: unknown) => {
      throw error instanceof HttpError ? error : new HttpError(400, "the body was cut off", { cause: error });
    });
  try {
    for (;;) {
      const { done, value } = await next();
      if (done) return text + decoder.decode();
      length += value.length;
      if (length > maxBodyBytes) throw tooLarge(maxBodyBytes);
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `the body has more than ${maxBytes} bytes; send fewer documents per request`);
}
