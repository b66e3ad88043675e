import { renumbered } from "../errors.js";
import type { DocumentOptions, RerankResponse } from "../types.js";
import type { ServedReranker } from "./options.js";
import type { ScoreRequest } from "./rerank-request.js";

/** The part of a response that metrics count. */
export interface Scored {
  readonly usage: Pick<RerankResponse["usage"], "tokens">;
  readonly timings: Pick<RerankResponse["timings"], "cacheHits">;
}

/** Scores pairs in input order. Documents of the same query are scored in one call. */
export async function scorePairs(
  reranker: ServedReranker,
  { queries, documents, maxTokensPerDocument, scores: kind }: ScoreRequest,
  options: DocumentOptions & { readonly signal: AbortSignal },
): Promise<Scored & { readonly scores: readonly number[] }> {
  const scores = new Array<number>(documents.length);
  let [tokens, cacheHits] = [0, 0];
  for (const [query, indices] of pairsByQuery(queries, documents.length)) {
    const { results, usage, timings } = await reranker
      .rerank({ ...options, query, documents: indices.map((index) => documents[index] as string), maxTokensPerDocument, scores: kind })
      .catch((error: unknown) => {
        throw renumbered(error, (index) => indices[index] as number);
      });
    for (const { index, score } of results) scores[indices[index] as number] = score;
    tokens += usage.tokens;
    cacheHits += timings.cacheHits;
  }
  return { scores, usage: { tokens }, timings: { cacheHits } };
}

/** Returns the indices of the pairs of each query. A single query belongs to all pairs. */
function pairsByQuery(queries: readonly string[], pairs: number): ReadonlyMap<string, number[]> {
  const groups = new Map<string, number[]>();
  for (let index = 0; index < pairs; index++) {
    const query = queries[queries.length === 1 ? 0 : index] as string;
    const group = groups.get(query);
    if (group === undefined) groups.set(query, [index]);
    else group.push(index);
  }
  return groups;
}
