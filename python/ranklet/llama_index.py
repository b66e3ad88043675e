"""Ranklet in LlamaIndex: a node postprocessor.

    from ranklet.llama_index import RankletRerank

    query_engine = index.as_query_engine(node_postprocessors=[RankletRerank(top_n=3)])
"""

from __future__ import annotations

from typing import Any

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from ._cross_encoder import CrossEncoder

__all__ = ["RankletRerank"]

dispatcher = get_dispatcher(__name__)


class RankletRerank(BaseNodePostprocessor):
    """Keeps the `top_n` best nodes, with the model's scores."""

    model: str = Field(default="", description="A folder or a Hub id; empty for the model in this package.")
    top_n: int = Field(default=2, description="Number of nodes to return.")
    keep_retrieval_score: bool = Field(
        default=False, description="Whether to keep the score before in the metadata, as retrieval_score."
    )
    _model: CrossEncoder = PrivateAttr()

    def __init__(
        self, top_n: int = 2, model: Any = None, keep_retrieval_score: bool = False, **model_kwargs: Any
    ) -> None:
        super().__init__(
            top_n=top_n, model=model if isinstance(model, str) else "", keep_retrieval_score=keep_retrieval_score
        )
        self._model = model if isinstance(model, CrossEncoder) else CrossEncoder(model, **model_kwargs)

    @classmethod
    def class_name(cls) -> str:
        """Returns the name of the class, for serialization."""
        return "RankletRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise ValueError("RankletRerank needs a query: pass query_bundle or query_str")
        if not nodes:
            return []
        name = self.model or "ranklet"
        dispatcher.event(ReRankStartEvent(query=query_bundle, nodes=nodes, top_n=self.top_n, model_name=name))
        texts = [node.node.get_content(metadata_mode=MetadataMode.EMBED) for node in nodes]
        ranked = []
        for hit in self._model.rank(query_bundle.query_str, texts, top_k=self.top_n):
            node = nodes[hit["corpus_id"]]
            if self.keep_retrieval_score:
                node.node.metadata["retrieval_score"] = node.score
            node.score = hit["score"]
            ranked.append(node)
        dispatcher.event(ReRankEndEvent(nodes=ranked))
        return ranked
