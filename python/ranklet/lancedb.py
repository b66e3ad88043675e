"""Ranklet in LanceDB: a reranker of searches.

from ranklet.lancedb import RankletReranker

table.search("capital of France", query_type="hybrid").rerank(RankletReranker(column="text")).to_list()
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pyarrow as pa
from lancedb.rerankers import Reranker

from ._cross_encoder import CrossEncoder

__all__ = ["RankletReranker"]


class RankletReranker(Reranker):
    """Adds the column `_relevance_score` and sorts by it, with the options of LanceDB's CrossEncoderReranker."""

    def __init__(self, model_name: Any = None, column: str = "text", return_score: str = "relevance", **model_kwargs: Any) -> None:
        super().__init__(return_score)
        self.model_name = model_name
        self.column = column
        self.model_kwargs = model_kwargs

    @cached_property
    def model(self) -> CrossEncoder:
        """The model, which is loaded when it is first used."""
        if isinstance(self.model_name, CrossEncoder):
            return self.model_name
        return CrossEncoder(self.model_name, **self.model_kwargs)

    def rerank_vector(self, query: str, vector_results: pa.Table) -> pa.Table:
        """Sorts the results of a vector search."""
        return self._sorted(query, vector_results)

    def rerank_fts(self, query: str, fts_results: pa.Table) -> pa.Table:
        """Sorts the results of a full-text search."""
        return self._sorted(query, fts_results)

    def rerank_hybrid(self, query: str, vector_results: pa.Table, fts_results: pa.Table) -> pa.Table:
        """Sorts the results of both searches; a row that both have found counts once."""
        merge = self._merge_and_keep_scores if self.score == "all" else self.merge_results
        return self._sorted(query, merge(vector_results, fts_results))

    def _sorted(self, query: str, results: pa.Table) -> pa.Table:
        texts = results[self.column].to_pylist()
        scores = self.model.predict([[query, text or ""] for text in texts])
        results = results.append_column("_relevance_score", pa.array(scores, type=pa.float32()))
        if self.score == "relevance":
            scores_before = [name for name in ("_score", "_distance") if name in results.column_names]
            results = results.drop_columns(scores_before)
        return results.sort_by([("_relevance_score", "descending")])
