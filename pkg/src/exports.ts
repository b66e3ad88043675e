export { RankletError, errorCodes, type ErrorCode, type ErrorItem } from "./errors.js";
export type * from "./types/cache.js";
export type * from "./types.js";
