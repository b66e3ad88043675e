import { RankletError } from "../../errors.js";
import type { TabLink } from "./tab-link.js";

/** The error if tabs cannot share an engine. Each can load its own instead. */
export class NotSharedError extends RankletError {}

/** Connects a tab to the shared worker of a model, in runtimes that have shared workers. */
export type OpenTabLink = (typeof TabLink)["open"];
