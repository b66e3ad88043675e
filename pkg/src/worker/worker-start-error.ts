import { RankletError } from "../errors.js";

/** The error of a worker that could not be started, or ended before it said anything. The calling thread can score instead. */
export class WorkerStartError extends RankletError {}
