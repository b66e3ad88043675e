// The entry `ranklet/server`: one endpoint for the clients of rerank services.
export { createHandler, type RequestContext, type RerankHandler } from "./handler.js";
export type { HandlerOptions, RerankerSource } from "./options.js";
