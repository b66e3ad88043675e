"""Highlights: the best sentences of results. Their scores are those of the sentences as documents."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ranklet import AsyncReranker, RankletError, Reranker, RerankResult

QUERY = "What is the capital of France?"
SENTENCES = ["Bread is tasty.", "😀 Paris is the capital of France!", "東京は都市です。", "Rivers flow to the sea."]
DOCUMENTS = [" ".join(SENTENCES), "Berlin is in Germany.", "One river.\n\nThe capital of France is Paris. Another river."]


@pytest.fixture(scope="module")
def reranker() -> Reranker:
    return Reranker.load(device="cpu")


def best_of(reranker: Reranker, sentences: list[str], count: int) -> list[tuple[str, float]]:
    scores = reranker.score([[QUERY, sentence] for sentence in sentences]).tolist()
    return sorted(zip(sentences, scores), key=lambda item: -item[1])[:count]


def shown(result: RerankResult) -> list[tuple[str, float]]:
    assert result.highlights is not None
    return [(DOCUMENTS[result.index][part.start : part.end], part.score) for part in result.highlights]


def test_highlights_are_the_best_sentences_with_their_scores(reranker: Reranker) -> None:
    expected = [
        best_of(reranker, SENTENCES, 2),
        best_of(reranker, [DOCUMENTS[1]], 2),
        best_of(reranker, ["One river.", "The capital of France is Paris.", "Another river."], 2),
    ]
    assert expected[0][0][0] == SENTENCES[1] and len(expected[1]) == 1
    for result in reranker.rerank(QUERY, DOCUMENTS, highlights=2).results:
        assert shown(result) == expected[result.index]
    results = [result for part in reranker.stream(QUERY, DOCUMENTS, highlights=2) for result in part.results]
    assert [shown(result) for result in results] == expected
    with reranker.prepare(DOCUMENTS) as collection:
        *earlier, final = collection.rank(QUERY, highlights=2)
        assert final.results == reranker.rerank(QUERY, DOCUMENTS, highlights=2).results
        assert all(result.highlights is None for ranking in earlier for result in ranking.results)
        chosen = list(collection.rank(QUERY, candidates=[2, 0], top_n=1, highlights=1))[-1].results
        assert [shown(result) for result in chosen] == [expected[chosen[0].index][:1]]


def test_only_returned_results_have_highlights(reranker: Reranker) -> None:
    collection_of_one = reranker.prepare(DOCUMENTS[1:2])
    plain, one, all_three = (
        reranker.rerank(QUERY, DOCUMENTS, **options) for options in ({"top_n": 1}, {"top_n": 1, "highlights": 1}, {"highlights": 1})
    )
    assert [result.highlights for result in plain.results] == [None]
    assert plain.usage.tokens < one.usage.tokens < all_three.usage.tokens
    assert one.results[0] == all_three.results[0]
    # The sentence of a document of one sentence has a score already.
    choices: list[dict[str, Any]] = [{}, {"highlights": 1}]
    alone = [
        list(call)[-1].usage.tokens
        for options in choices
        for call in ([reranker.rerank(QUERY, DOCUMENTS[1:2], **options)], collection_of_one.rank(QUERY, **options))
    ]
    assert len(set(alone)) == 1
    fused = reranker.rerank(QUERY, DOCUMENTS[1:2], fuse={"first_stage": [1], "method": "rrf"}, highlights=1).results[0]
    assert fused.highlights is not None and fused.highlights[0].score == fused.model_score != fused.score
    cached = Reranker.load(device="cpu", score_cache={"max_bytes": 1_000_000})
    for _ in range(2):
        assert cached.rerank(QUERY, DOCUMENTS, highlights=1).results == all_three.results


def test_long_documents_have_highlights_of_all_chunks(reranker: Reranker) -> None:
    document = "One river flows here. " * 200 + "Paris is the capital of France."
    options: dict[str, Any] = {"highlights": 1, "long_documents": "chunk"}
    (result,) = reranker.rerank(QUERY, [document], **options).results
    assert result.highlights is not None and document[result.highlights[0].start :] == "Paris is the capital of France."
    (cut,) = reranker.rerank(QUERY, [document], highlights=1).results
    assert cut.highlights is not None and document[cut.highlights[0].start :].startswith("One river flows here.")


def test_wrong_counts_are_refused_and_tasks_can_be_canceled(reranker: Reranker) -> None:
    for count in (0, -1, 1.5, True):
        with pytest.raises(RankletError):
            reranker.rerank(QUERY, DOCUMENTS, highlights=count)  # type: ignore[arg-type]
        with pytest.raises(RankletError):
            reranker.stream(QUERY, DOCUMENTS, highlights=count)  # type: ignore[arg-type]

    async def run() -> None:
        calls = AsyncReranker(reranker)
        assert (await calls.rerank(QUERY, DOCUMENTS, highlights=1)).results[0].highlights

    asyncio.run(run())
