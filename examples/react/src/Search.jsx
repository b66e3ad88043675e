// Ranks a few passages again at each key press; the newest ranking ends the one before.
import { useRanking, useReranker } from "ranklet/react";
import "ranklet/default-model";
import { useState } from "react";

import { passages } from "./passages.js";

export function Search() {
  const [query, setQuery] = useState("");
  const { reranker, loading, progress, error } = useReranker();
  const ranking = useRanking(reranker, query, passages, { topN: 3 });
  const failure = error ?? ranking.error;
  return (
    <>
      <label>
        Question{" "}
        <input
          id="query"
          type="search"
          placeholder="How do I reset my password?"
          disabled={loading}
          value={query}
          onChange={({ target }) => setQuery(target.value)}
        />
      </label>
      {loading && <p>Loading {progress?.file}</p>}
      {failure && <p role="alert">{failure.message}</p>}
      <ol id="results" aria-live="polite" aria-busy={ranking.loading}>
        {ranking.results.map(({ index, score, document }) => (
          <li key={index}>
            {score.toFixed(3)} {document}
          </li>
        ))}
      </ol>
    </>
  );
}
