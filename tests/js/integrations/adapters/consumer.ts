// Compiled and never run: the adapters where the frameworks' own types expect their parts.
import { ContextualCompressionRetriever } from "@langchain/classic/retrievers/contextual_compression";
import { Document, type DocumentInterface } from "@langchain/core/documents";
import type { BaseRetriever } from "@langchain/core/retrievers";
import type { BaseDocumentCompressor } from "@langchain/core/retrievers/document_compressors";
import { create } from "@orama/orama";
import { createProviderRegistry as createProviderRegistry7, rerank as rerank7 } from "ai";
import { createProviderRegistry as createProviderRegistry6, rerank as rerank6 } from "ai-6";
import { Reranker } from "ranklet";
import { createRanklet, ranklet } from "ranklet/ai-sdk";
import { RankletRerank } from "ranklet/langchain";
import { createScorer } from "ranklet/mastra";
import { pluginRanklet } from "ranklet/orama";

export async function aiSdk(): Promise<number> {
  const provider = createRanklet({ rerankers: { mine: Reranker.load() }, loadOptions: { dtype: "q8" } });
  const providerOptions = { ranklet: { rankFields: ["title", "body"], scores: "raw" } };
  const { ranking } = await rerank7({ model: ranklet("default"), query: "q", documents: ["a"], topN: 1 });
  await rerank6({ model: provider.reranking("mine"), query: "q", documents: [{ title: "a", body: "b" }], providerOptions });
  createProviderRegistry7({ ranklet }).rerankingModel("ranklet:default");
  createProviderRegistry6({ ranklet }).rerankingModel("ranklet:default");
  return ranking.length;
}

export async function langChain(baseRetriever: BaseRetriever): Promise<DocumentInterface[]> {
  const compressor = new RankletRerank({ model: "organization/model", topN: 3 });
  const documents: Document[] = await compressor.compressDocuments([new Document({ pageContent: "a", metadata: { source: "b" } })], "q");
  const asCompressor: Pick<BaseDocumentCompressor, "compressDocuments"> = compressor;
  await asCompressor.compressDocuments(documents, "q");
  return new ContextualCompressionRetriever({ baseCompressor: compressor, baseRetriever }).invoke("q");
}

export async function orama(): Promise<void> {
  await create({ schema: { title: "string" }, plugins: [pluginRanklet({ rankFields: ["title"], candidates: 20 })] });
}

export const scorer: { getRelevanceScore(query: string, text: string): Promise<number> } = createScorer();
