export { RankletError, errorCodes, type ErrorCode } from "./errors.js";
export type * from "./types.js";
