"""Ranklet in LlamaIndex: a node postprocessor.

from ranklet.llama_index import RankletRerank

query_engine = index.as_query_engine(node_postprocessors=[RankletRerank(top_n=3)])
"""

from __future__ import annotations

import os
from typing import Any

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from ._adapters import cross_encoder
from ._cross_encoder import CrossEncoder

__all__ = ["RankletRerank"]

dispatcher = get_dispatcher(__name__)


class RankletRerank(BaseNodePostprocessor):
    """Keeps the `top_n` best nodes, with the model's scores, best first.

    It takes the arguments of SentenceTransformerRerank in llama-index-postprocessor-sbert-rerank, by name or position,
    and fires the same events. The class of that name in llama_index.core has `top_n` first: pass its arguments by name.
    Three defaults differ: the model is that in this package, the device is the CPU, and pairs are cut at the model's
    own length; `cross_encoder_kwargs={"max_length": 512}` cuts them where SentenceTransformerRerank does.
    """

    model: str = Field(default="", description="A folder or a Hub id; empty for the model in this package.")
    device: str | None = Field(default=None, description='"cpu", "gpu" or "auto"; None for the CPU.')
    cache_folder: str | None = Field(default=None, description="The folder that downloads go to.")
    top_n: int = Field(default=2, description="Number of nodes to return.")
    keep_retrieval_score: bool = Field(default=False, description="Whether to keep the score before in the metadata, as retrieval_score.")
    cross_encoder_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="Other options of ranklet.CrossEncoder, such as threads and max_length."
    )
    _model: CrossEncoder = PrivateAttr()
    _has_name: bool = PrivateAttr()

    def __init__(
        self,
        model: Any = None,
        device: Any = None,
        cache_folder: str | os.PathLike[str] | None = None,
        top_n: int = 2,
        keep_retrieval_score: bool | None = False,
        cross_encoder_kwargs: dict[str, Any] | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        """Loads the model.

        Args:
            model: a folder, a Hub id, the contents of the model's files by name, a `ranklet.CrossEncoder`, or None for
                the model in this package.
            device: "cpu", "gpu" or "auto"; None for the CPU.
            cache_folder: the folder that downloads go to.
            top_n: number of nodes to return.
            keep_retrieval_score: whether to keep the score before in the metadata, as `retrieval_score`.
            cross_encoder_kwargs: other options of `ranklet.CrossEncoder`, such as `threads` and `max_length`.
            trust_remote_code: accepted, and without effect: no code of a checkpoint is run.

        Raises:
            TypeError: the model is a number, as of a class whose first argument is `top_n`.
            ValueError: `cross_encoder_kwargs` has a device or a model; or options for loading are given with a loaded
                model.
        """
        if isinstance(model, int):
            raise TypeError("RankletRerank: the first argument is the model; pass top_n by its name")
        cross_encoder_kwargs = cross_encoder_kwargs or {}
        if not {"model", "model_name", "model_name_or_path", "device"}.isdisjoint(cross_encoder_kwargs):
            raise ValueError("cross_encoder_kwargs: model and device are parameters of RankletRerank")
        is_name = isinstance(model, (str, os.PathLike))
        super().__init__(
            model=os.fspath(model) if is_name else "",
            device=None if device is None else str(device),
            cache_folder=os.fspath(cache_folder) if cache_folder else None,
            top_n=top_n,
            keep_retrieval_score=bool(keep_retrieval_score),
            cross_encoder_kwargs=cross_encoder_kwargs,
        )
        options = {**cross_encoder_kwargs, "device": device, "cache_folder": self.cache_folder, "trust_remote_code": trust_remote_code}
        self._model = cross_encoder(None if is_name and not self.model else model, options)
        self._has_name = is_name or model is None

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """Serializes the postprocessor.

        Raises:
            ValueError: the model is a `ranklet.CrossEncoder` or the contents of files, so it has no name.
        """
        if not self._has_name:
            raise ValueError("RankletRerank.to_dict: a loaded model and contents of files have no name; pass a folder or a Hub id")
        data: dict[str, Any] = super().to_dict(**kwargs)
        return data

    @classmethod
    def class_name(cls) -> str:
        """Returns the name of the class, for serialization."""
        return "RankletRerank"

    def _postprocess_nodes(self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None) -> list[NodeWithScore]:
        if query_bundle is None:
            raise ValueError("RankletRerank needs a query: pass query_bundle or query_str")
        if not nodes:
            return []
        name = self.model or "ranklet"
        dispatcher.event(ReRankStartEvent(query=query_bundle, nodes=nodes, top_n=self.top_n, model_name=name))
        payload = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: name,
            EventPayload.QUERY_STR: query_bundle.query_str,
            EventPayload.TOP_K: self.top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            ranked = self._ranked(nodes, query_bundle.query_str)
            event.on_end(payload={EventPayload.NODES: ranked})
        dispatcher.event(ReRankEndEvent(nodes=ranked))
        return ranked

    def _ranked(self, nodes: list[NodeWithScore], query: str) -> list[NodeWithScore]:
        """Returns the best nodes, best first, and sets their scores."""
        texts = [node.node.get_content(metadata_mode=MetadataMode.EMBED) for node in nodes]
        ranked = []
        for hit in self._model.rank(query, texts, top_k=self.top_n):
            node = nodes[hit["corpus_id"]]
            if self.keep_retrieval_score:
                node.node.metadata["retrieval_score"] = node.score
            node.score = hit["score"]
            ranked.append(node)
        return ranked
