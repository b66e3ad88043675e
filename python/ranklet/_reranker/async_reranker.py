"""The classes of Reranker for asyncio: the same calls, with await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import _model
from .collection import Collection
from .explanations import Comparison, Explanation, ExplanationCost
from .reranker import Reranker
from .results import CollectionRanking, RerankResponse, StreamPart

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from . import options as of

Result = TypeVar("Result")
_END = object()


async def _in_thread(call: Callable[[Callable[[], bool]], Result]) -> Result:
    """Runs a call in a thread. If the task is canceled, the call ends after its micro-batch."""
    canceled = threading.Event()
    try:
        return await asyncio.to_thread(call, canceled.is_set)
    except asyncio.CancelledError:
        canceled.set()
        raise


async def _iterate(make: Callable[[Callable[[], bool]], Iterator[Result]]) -> AsyncGenerator[Result, None]:
    """Takes each item of an iterator in a thread."""
    canceled = threading.Event()
    iterator = make(canceled.is_set)
    try:
        while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
            yield item  # type: ignore[misc]
    finally:
        canceled.set()


class AsyncReranker:
    """As `Reranker`, for asyncio: calls are awaited, and canceling a task ends its call after a micro-batch.

    `on_progress` is called in a worker thread: there, `loop.call_soon_threadsafe` hands work to the event loop.
    """

    def __init__(self, reranker: Reranker) -> None:
        if not isinstance(reranker, Reranker):
            raise TypeError("create an AsyncReranker with await AsyncReranker.load(model), or of a Reranker")
        self._reranker = reranker

    @classmethod
    async def load(cls, source: _model.Source = None, **options: Unpack[of.LoadOptions]) -> AsyncReranker:
        """Loads a model, with the options of `Reranker.load`."""
        return cls(await asyncio.to_thread(lambda: Reranker.load(source, **options)))

    @property
    def info(self) -> dict[str, Any]:
        """The model and the engine that computes."""
        return self._reranker.info

    async def rerank(self, query: str, documents: Any, **options: Unpack[of.RerankOptions]) -> RerankResponse:
        """Ranks documents, with the options of `Reranker.rerank`."""
        return await _in_thread(lambda stop: self._reranker.rerank(query, documents, _stop=stop, **options))

    def stream(self, query: str, documents: Any, **options: Unpack[of.StreamOptions]) -> AsyncGenerator[StreamPart, None]:
        """Scores documents and yields them after each micro-batch, with the options of `Reranker.stream`."""
        return _iterate(lambda stop: self._reranker.stream(query, documents, _stop=stop, **options))

    async def score(self, pairs: Any, **options: Unpack[of.ScoreOptions]) -> np.ndarray:
        """Scores pairs, with the options of `Reranker.score`."""
        return await _in_thread(lambda stop: self._reranker.score(pairs, _stop=stop, **options))

    async def rank(self, query: str, documents: Any, **options: Unpack[of.RankOptions]) -> list[dict[str, Any]]:
        """Ranks documents, with the options of `Reranker.rank`."""
        return await _in_thread(lambda stop: self._reranker.rank(query, documents, _stop=stop, **options))

    async def explain(self, query: str, document: str, **options: Unpack[of.ExplainOptions]) -> Explanation:
        """Explains the score of a pair, with the options of `Reranker.explain`."""
        return await _in_thread(lambda stop: self._reranker.explain(query, document, _stop=stop, **options))

    def explain_cost(self, query: str, document: str, **options: Unpack[of.ExplainCostOptions]) -> ExplanationCost:
        """Returns the work of `explain`, with the options of `Reranker.explain_cost`."""
        return self._reranker.explain_cost(query, document, **options)

    async def compare(self, query: str, a: str, b: str, **options: Unpack[of.CompareOptions]) -> Comparison:
        """Explains what puts `a` above or below `b`, with the options of `Reranker.compare`."""
        return await _in_thread(lambda stop: self._reranker.compare(query, a, b, _stop=stop, **options))

    async def prepare(self, documents: Any, **options: Unpack[of.PrepareOptions]) -> AsyncCollection:
        """Tokenizes documents, with the options of `Reranker.prepare`."""
        collection = await _in_thread(lambda stop: self._reranker.prepare(documents, _stop=stop, **options))
        return AsyncCollection(collection)

    def dispose(self) -> None:
        """Frees the model."""
        self._reranker.dispose()

    async def __aenter__(self) -> AsyncReranker:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.dispose()


class AsyncCollection:
    """As `Collection`, for asyncio."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    @property
    def size(self) -> int:
        """Number of documents."""
        return self._collection.size

    def rank(self, query: str, **options: Unpack[of.CollectionRankOptions]) -> AsyncGenerator[CollectionRanking, None]:
        """Ranks the documents and yields the best so far, with the options of `Collection.rank`."""
        return _iterate(lambda stop: self._collection.rank(query, _stop=stop, **options))

    def dispose(self) -> None:
        """Frees the tokens."""
        self._collection.dispose()

    async def __aenter__(self) -> AsyncCollection:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.dispose()
