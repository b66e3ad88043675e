import { RankletError } from "../errors.js";
import { type Dialect, wrongFieldStatus } from "./dialect.js";

/** An answer with a status of 400 or more. The message is for the client. */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    { headers = {}, cause }: { readonly headers?: Readonly<Record<string, string>>; readonly cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.name = "HttpError";
    this.status = status;
    this.headers = headers;
  }
}

/** Creates the answer of a server that may be available again in a few seconds. */
export function unavailable(message: string, cause?: unknown): HttpError {
  return new HttpError(503, message, { headers: { "retry-after": "5" }, cause });
}

/** The answer to a client that has gone. No client sees it; logs of proxies use this status. */
const clientClosedRequest = 499;

/**
 * Converts an error of a handler to an answer. Wrong values of fields that the reranker checks are the client's.
 * @param documentsField the name of the field that has the documents
 */
export function toHttpError(error: unknown, dialect: Dialect, documentsField = "documents"): HttpError {
  if (error instanceof HttpError) return error;
  const answer = (status: number, message: string): HttpError => new HttpError(status, message, { cause: error });
  if (!(error instanceof RankletError)) return answer(500, "the server failed");
  switch (error.code) {
    case "input":
    case "unsupported":
      return answer(wrongFieldStatus(dialect), inFields(error, documentsField));
    case "aborted":
      return answer(clientClosedRequest, "the request was canceled");
    case "device-lost":
    case "out-of-memory":
    case "disposed":
    case "network":
      return unavailable("the model is not available", error);
    default:
      return answer(500, "the model failed");
  }
}

/** Returns an error of loading the model, which is the operator's to mend, even if its code is one of wrong requests. */
export function toLoadError(error: unknown): unknown {
  const isLikeRequests = error instanceof RankletError && ["input", "unsupported", "aborted"].includes(error.code);
  return isLikeRequests ? new HttpError(500, "the model could not be loaded", { cause: error }) : error;
}

/**
 * Says a message of the reranker in the words of requests: without the name of the method at its beginning, with the field and the
 * index of the document that it is about, and with `rank_fields`. Texts in quotes are the client's own.
 */
function inFields({ message, item }: RankletError, documentsField: string): string {
  if (item !== undefined) return `${documentsField}[${item.start}]: ${message.replace(/^documents? [\d to]+: /, "")}`;
  return message
    .replace(/^(rerank|score): /, "")
    .replace(/"[^"]*"|\brankFields\b/g, (part) => (part === "rankFields" ? "rank_fields" : part));
}
