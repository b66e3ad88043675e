// Compiled and never run: the package as TypeScript finds it without `exports`.
import { Reranker, type RerankResponse } from "ranklet";
import model from "ranklet/default-model";
import { useReranker } from "ranklet/react";
import { createHandler } from "ranklet/server";

export async function rank(): Promise<RerankResponse> {
  const reranker: Reranker = await Reranker.shared(model);
  createHandler(reranker);
  return reranker.rerank({ query: "q", documents: ["d"] });
}
export const hook: typeof useReranker = useReranker;
