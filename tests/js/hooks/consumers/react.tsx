// Compiled and never run: components of React, and code that must not compile.
import { type Ranking, type RerankerState, useRanking, useReranker } from "ranklet/react";

interface Row {
  readonly id: number;
  readonly text: string;
}

export function Search({ query, rows }: { query: string; rows: readonly Row[] }) {
  const state: RerankerState = useReranker("org/name", { workers: 1, revision: "main" });
  const ranking: Ranking<Row> = useRanking(state.reranker, query, rows, { topN: 3, rankFields: ["text"], highlights: 2 });
  // @ts-expect-error the component's life takes the place of the signal
  useReranker(undefined, { signal: new AbortController().signal });
  // @ts-expect-error an unknown option
  useRanking(state.reranker, query, rows, { top: 3 });
  if (state.error !== undefined) return <p>{state.error.code}</p>;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: this is a test of types
    <ul onClick={ranking.cancel}>
      {ranking.results.map(({ index, document, score, highlights }) => (
        <li key={index}>
          {document.id} {score.toFixed(2)} {document.text.slice(highlights?.[0]?.start, highlights?.[0]?.end)}{" "}
          {state.progress?.overall.loaded}
        </li>
      ))}
    </ul>
  );
}

// As docs/frameworks.md has it, with documents that are objects.
export function Listing({ query, documents }: { query: string; documents: readonly Row[] }) {
  const { reranker, loading, progress, error } = useReranker();
  const { results } = useRanking(reranker, query, documents, { topN: 10 });
  const { results: scores } = useRanking(reranker, query, documents, { returnDocuments: false });
  useRanking(reranker, query, documents, { returnDocuments: undefined });
  // @ts-expect-error with returnDocuments: false, a result has no document
  scores[0]?.document.id;
  if (error) return <p role="alert">{error.message}</p>;
  if (loading) return <p>Loading {progress?.file}</p>;
  return (
    <ol>
      {results.map(({ index, document }) => (
        <li key={index}>{document.text}</li>
      ))}
    </ol>
  );
}
