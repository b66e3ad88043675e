// Compiled and never run: what a component of Svelte writes, and code that must not compile.
import { type Ranking, useRanking, useReranker } from "ranklet/svelte";

interface Row {
  readonly id: number;
  readonly text: string;
}

export function search(query: () => string, rows: () => readonly Row[]): number | undefined {
  const model = useReranker(() => "org/name", { workers: 1 });
  const ranking: Ranking<Row> = useRanking(
    () => model.reranker,
    query,
    rows,
    () => ({ topN: 3, highlights: 1 }),
  );
  // @ts-expect-error the arguments are functions
  useRanking(model.reranker, query, rows);
  ranking.cancel();
  return ranking.results[0]?.highlights?.[0]?.start ?? ranking.results[0]?.document.id;
}
