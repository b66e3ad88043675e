export { documentTexts } from "./api/document-texts.js";
export { type ErrorCode, type ErrorItem, errorCodes, RankletError } from "./errors.js";
export type * from "./types/cache.js";
export type * from "./types.js";
