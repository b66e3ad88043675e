import { RankletError } from "../../pkg/dist/index.js";

/** Returns the message of an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a call ended because its result is not wanted any more: the user canceled it, or the query, documents or model changed. */
export function isOutdated(error: unknown): boolean {
  return error instanceof RankletError && (error.code === "aborted" || error.code === "disposed");
}
