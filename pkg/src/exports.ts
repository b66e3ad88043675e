export { type ErrorCode, type ErrorItem, errorCodes, RankletError } from "./errors.js";
export type * from "./types/cache.js";
export type * from "./types.js";
