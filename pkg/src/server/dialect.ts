/**
 * A wire format. All forms of requests are read on every path; the dialect decides how documents are echoed and what errors
 * look like.
 *
 * - `documents`: `/v1/rerank` of Cohere, Jina, Together and vLLM, and `/v2/rerank` of Cohere.
 * - `infinity`: `/rerank` of Infinity.
 * - `voyage`: a body with `top_k`, or with a flag `truncation` and no `top_n`.
 * - `tei`: a body with `texts`, the format of Text Embeddings Inference, and of Hugging Face's text-ranking task in `inputs`.
 */
export type Dialect = "documents" | "infinity" | "voyage" | "tei";

/** Returns the dialect of a request. `path` is the route without a base path. A field that is `null` counts as absent. */
export function dialectOf(path: string, body: Readonly<Record<string, unknown>>): Dialect {
  const has = (name: string) => body[name] !== undefined && body[name] !== null;
  if (has("texts")) return "tei";
  if (has("top_k") || (typeof body["truncation"] === "boolean" && !has("top_n"))) return "voyage";
  return path === "/rerank" ? "infinity" : "documents";
}

/**
 * Returns the status for a field with a wrong value. Infinity and Text Embeddings Inference check bodies against their types, and
 * answer 422.
 */
export function wrongFieldStatus(dialect: Dialect): 400 | 422 {
  return dialect === "tei" || dialect === "infinity" ? 422 : 400;
}

/** Returns the body of an error. Clients read `message`, `detail` or `error`, depending on the dialect. */
export function errorBody(dialect: Dialect, { status, message }: { readonly status: number; readonly message: string }): unknown {
  if (dialect === "tei") return { error: message, error_type: teiErrorType(status) };
  const type = errorType(status);
  // infinity_client reads a list for 422; the clients of the other dialects show `detail` as it is.
  const detail = status === 422 ? [{ loc: ["body"], msg: message, type: "value_error" }] : message;
  return { message, detail, error: { message, type, code: status } };
}

function errorType(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

function teiErrorType(status: number): string {
  if (status === 429) return "Overloaded";
  if (status === 424 || status >= 500) return "Backend";
  return "Validation";
}
