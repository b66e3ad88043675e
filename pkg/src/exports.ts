export { RankletError, errorCodes, type ErrorCode, type ErrorItem } from "./errors.js";
export type * from "./cache-types.js";
export type * from "./types.js";
