"""What applications write around a CrossEncoder: with the import of ranklet in place of sentence-transformers."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ranklet import CrossEncoder

QUERY = "Where is the Eiffel Tower?"
DOCUMENTS = [
    "Bananas are rich in potassium.",
    "The Eiffel Tower is in Paris, on the Champ de Mars.",
    "Berlin is the capital of Germany.",
    "Paris is the largest city of France.",
]


@pytest.fixture(scope="module")
def model() -> CrossEncoder:
    return CrossEncoder()


def test_basic_usage_pairs_are_predicted_and_sorted(model: CrossEncoder) -> None:
    scores = model.predict([[QUERY, document] for document in DOCUMENTS])
    ranked = sorted(zip(DOCUMENTS, scores), key=lambda item: item[1], reverse=True)
    assert ranked[0][0] == DOCUMENTS[1]
    assert f"{ranked[0][1]:.4f}".startswith("0.")


def test_batches_of_32_are_scored_and_the_best_taken() -> None:
    model = CrossEncoder(max_length=128)
    documents = [f"{document} ({number})" for number in range(30) for document in DOCUMENTS]
    found: list[np.float32] = []
    for first in range(0, len(documents), 32):
        batch = [[QUERY, document] for document in documents[first : first + 32]]
        found.extend(model.predict(batch, batch_size=32, show_progress_bar=False))
    best = np.argsort(found)[::-1][:10]
    assert len(found) == 120 and all("Eiffel" in documents[index] for index in best)
    assert [hit["corpus_id"] for hit in model.rank(QUERY, documents, top_k=1)] == [int(np.argmax(found))]


class Service:
    """Reranks for many requests at once, in threads of its own."""

    def __init__(self, workers: int = 4) -> None:
        self.model = CrossEncoder(threads=1)
        self.executor = ThreadPoolExecutor(max_workers=workers)

    async def rerank(self, query: str, documents: list[str], top_k: int) -> list[tuple[str, float]]:
        def work() -> list[tuple[str, float]]:
            scores = self.model.predict([(query, document) for document in documents])
            return sorted(zip(documents, scores), key=lambda item: item[1], reverse=True)[:top_k]

        return await asyncio.get_running_loop().run_in_executor(self.executor, work)


def test_queries_are_reranked_at_once_with_asyncio(model: CrossEncoder) -> None:
    service = Service()
    queries = [QUERY, "capital of Germany", "fruit with potassium", "city in France"]

    async def run() -> list[list[tuple[str, float]]]:
        return await asyncio.gather(*[service.rerank(query, DOCUMENTS, 2) for query in queries])

    for query, results in zip(queries, asyncio.run(run())):
        expected = model.rank(query, DOCUMENTS, top_k=2)
        assert [(DOCUMENTS[hit["corpus_id"]], hit["score"]) for hit in expected] == [(t, float(s)) for t, s in results]


class CachedScores:
    """Keeps the scores of pairs; the least recently used are removed first."""

    def __init__(self, model: CrossEncoder, size: int) -> None:
        self.model, self.size, self.predicted = model, size, 0
        self.cache: OrderedDict[str, float] = OrderedDict()

    def rerank(self, query: str, documents: list[str], top_k: int) -> list[tuple[str, float]]:
        keys = [hashlib.sha256(f"{query}\0{document}".encode()).hexdigest() for document in documents]
        new = [index for index, key in enumerate(keys) if key not in self.cache]
        if new:
            self.predicted += len(new)
            for index, score in zip(new, self.model.predict([[query, documents[index]] for index in new])):
                self.cache[keys[index]] = score
        scored = []
        for key, document in zip(keys, documents):
            self.cache.move_to_end(key)
            scored.append((document, self.cache[key]))
        while len(self.cache) > self.size:
            self.cache.popitem(last=False)
        return sorted(scored, key=lambda item: item[1], reverse=True)[:top_k]


def test_cached_scores_are_predicted_once_until_they_are_evicted(model: CrossEncoder) -> None:
    cached = CachedScores(model, size=4)
    first = cached.rerank(QUERY, DOCUMENTS, 3)
    assert cached.rerank(QUERY, DOCUMENTS, 3) == first and cached.predicted == 4
    cached.rerank("another query", DOCUMENTS[:1], 1)
    cached.rerank(QUERY, DOCUMENTS[1:], 1)
    assert cached.predicted == 5
    cached.rerank(QUERY, DOCUMENTS[:1], 1)
    assert cached.predicted == 6
