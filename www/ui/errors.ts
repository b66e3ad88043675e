import { type ErrorCode, RankletError } from "../../pkg/dist/index.js";

/** Returns the message of an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Advice for users about an error, whatever failed. */
const adviceByCode: Partial<Record<ErrorCode, string>> = {
  unsupported: "Choose another device or model.",
  "device-lost": "Try again, or choose the CPU as the device.",
  "out-of-memory": "Close other tabs, or choose a smaller model.",
  internal: "Try again. If it fails again, reload the page.",
};

/** Returns what the user can do about an error if its code alone says it. */
export function adviceByCodeOf(error: unknown): string | undefined {
  return error instanceof RankletError ? adviceByCode[error.code] : undefined;
}

/** Returns the message of an error as a sentence, with its code. */
export function reasonOf(error: unknown): string {
  return `${messageOf(error)}${error instanceof RankletError ? ` (${error.code})` : ""}.`;
}

/** Whether a call ended because its result is not wanted any more: the user canceled it, or the query, documents or model changed. */
export function isOutdated(error: unknown): boolean {
  return error instanceof RankletError && (error.code === "aborted" || error.code === "disposed");
}
