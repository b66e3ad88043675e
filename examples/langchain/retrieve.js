// A retriever over a vector store whose documents Ranklet puts in order: node retrieve.js "a question"
import { ContextualCompressionRetriever } from "@langchain/classic/retrievers/contextual_compression";
import { MemoryVectorStore } from "@langchain/classic/vectorstores/memory";
import { Document } from "@langchain/core/documents";
import { FakeEmbeddings } from "@langchain/core/utils/testing";
import { Reranker } from "ranklet";
import { RankletRerank } from "ranklet/langchain";

import { pages } from "./pages.js";

const question = process.argv[2] ?? "Are pets allowed in the office?";

// Fake embeddings need no key, and find documents in no particular order. Put your own in their place.
const documents = pages.map(({ source, text }) => new Document({ pageContent: text, metadata: { source } }));
const store = await MemoryVectorStore.fromDocuments(documents, new FakeEmbeddings());

const reranker = await Reranker.load();
const retriever = new ContextualCompressionRetriever({
  baseRetriever: store.asRetriever(20),
  baseCompressor: new RankletRerank({ reranker, topN: 3 }),
});

for (const { pageContent, metadata } of await retriever.invoke(question)) {
  console.log(metadata.relevanceScore.toFixed(3), metadata.source, pageContent);
}
reranker.dispose();
