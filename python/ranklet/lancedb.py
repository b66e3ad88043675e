"""Ranklet in LanceDB: a reranker of searches.

from ranklet.lancedb import RankletReranker

table.search("capital of France", query_type="hybrid").rerank(RankletReranker(column="text")).to_list()
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pyarrow as pa
from lancedb.rerankers import Reranker

from ._adapters import cross_encoder
from ._cross_encoder import CrossEncoder

__all__ = ["RankletReranker"]


class RankletReranker(Reranker):
    """Adds the column `_relevance_score` and sorts by it, with the arguments of LanceDB's CrossEncoderReranker."""

    def __init__(
        self,
        model_name: Any = None,
        column: str = "text",
        device: str | None = None,
        return_score: str = "relevance",
        trust_remote_code: bool = False,
        batch_size: int = 32,
        **kwargs: Any,
    ) -> None:
        """Creates a reranker. The first search loads the model.

        Args:
            model_name: a folder, a Hub id, the contents of the model's files by name, a `ranklet.CrossEncoder`, or None
                for the model in this package.
            column: the column with the texts.
            device: "cpu", "gpu" or "auto"; None for the CPU.
            return_score: "relevance", or "all" to keep the scores of the search.
            trust_remote_code: accepted, and without effect: no code of a checkpoint is run.
            batch_size: accepted, and without effect: pairs are not padded.
            **kwargs: other options of `ranklet.CrossEncoder`, such as `threads` and `max_length`.
        """
        super().__init__(return_score)
        self.model_name = model_name
        self.column = column
        self.device = device
        self.trust_remote_code = trust_remote_code
        self.batch_size = batch_size
        self.kwargs = kwargs
        if isinstance(model_name, CrossEncoder):
            # Refuses options for loading now, and not in the first search.
            _ = self.model

    @cached_property
    def model(self) -> CrossEncoder:
        """The model, which is loaded when it is first used."""
        return cross_encoder(self.model_name, {"device": self.device, "trust_remote_code": self.trust_remote_code, **self.kwargs})

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
        scores = self.model.predict([[query, text or ""] for text in texts], batch_size=self.batch_size)
        results = results.append_column("_relevance_score", pa.array(scores, type=pa.float32()))
        if self.score == "relevance":
            scores_before = [name for name in ("_score", "_distance") if name in results.column_names]
            results = results.drop_columns(scores_before)
        return results.sort_by([("_relevance_score", "descending")])
