"""The class Reranker: Ranklet's own API in Python."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from conftest import FIXTURES, Canceled, fixture
from ranklet import AsyncReranker, RankletError, Reranker, document_texts
from ranklet._ranklet import rank_scores
from ranklet._reranker.fusion import read_fuse

QUERY = "What is the capital of France?"
DOCUMENTS = [
    "Berlin is the capital of Germany.",
    "Paris is the capital of France and its largest city.",
    "Bread is tasty.",
    "The Eiffel Tower is in Paris.",
]
APPLICATION = json.loads((FIXTURES / "application.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reranker() -> Reranker:
    return Reranker.load(device="cpu")


def code_of(call: Any) -> str:
    with pytest.raises(RankletError) as caught:
        call()
    return str(caught.value.code)


def test_rerank_returns_the_best_first_with_usage_and_timings(reranker: Reranker) -> None:
    response = reranker.rerank(QUERY, DOCUMENTS, return_documents=True, top_n=2)
    assert [result.index for result in response.results][0] == 1 and len(response.results) == 2
    assert response.results[0].document == DOCUMENTS[1]
    assert response.usage.documents == 4 and response.usage.tokens > 40
    assert response.backend["device"] == "cpu" and response.timings.total_ms > 0 and response.unscored == []
    pairs = [[QUERY, document] for document in DOCUMENTS]
    scores = reranker.score(pairs)
    assert response.results[0].score == scores.max() and scores.dtype == np.float32
    ranked = reranker.rank(QUERY, DOCUMENTS, top_k=1, return_documents=True)
    assert ranked == [{"corpus_id": 1, "score": float(scores.max()), "text": DOCUMENTS[1]}]
    assert reranker.rerank(QUERY, []).results == []


def test_stream_yields_every_document_in_order_and_reads_little_ahead(reranker: Reranker) -> None:
    read = 0

    def documents() -> Any:
        nonlocal read
        for read in range(1, 100_000):
            yield DOCUMENTS[read % 4]

    seen: list[int] = []
    for part in reranker.stream(QUERY, documents(), return_documents=True):
        seen += [result.index for result in part.results]
        assert part.done == len(seen) and part.total is None
        assert part.results[0].document == DOCUMENTS[(part.results[0].index + 1) % 4]
        if part.done > 100:
            break
    assert seen == list(range(len(seen))) and read < 1000
    scores = [result.score for part in reranker.stream(QUERY, DOCUMENTS) for result in part.results]
    assert scores == reranker.score([[QUERY, document] for document in DOCUMENTS]).tolist()


def test_errors_of_a_stream_have_the_index_in_the_stream(reranker: Reranker) -> None:
    for wrong, problem in (({"id": 7}, "has no string text"), (object(), "object is neither a text nor")):
        with pytest.raises(RankletError, match=f"^document 150: {problem}") as caught:
            list(reranker.stream(QUERY, [*DOCUMENTS[:1] * 150, wrong]))
        assert caught.value.item == ("document", 150, 151)


def test_collection_ranks_as_rerank_and_newer_calls_end_older_ones(reranker: Reranker) -> None:
    with reranker.prepare([{"text": document, "id": index} for index, document in enumerate(DOCUMENTS)]) as collection:
        assert collection.size == len(collection) == 4
        final = list(collection.rank(QUERY, top_n=3, return_documents=True))[-1]
        expected = reranker.rerank(QUERY, DOCUMENTS, top_n=3).results
        assert [(result.index, result.score) for result in final.results] == [(r.index, r.score) for r in expected]
        assert final.results[0].document == {"text": DOCUMENTS[1], "id": 1} and final.done == final.total == 4
        chosen = list(collection.rank(QUERY, candidates=np.array([3, 1])))[-1]
        assert [result.index for result in chosen.results] == [1, 3]
        repeated = list(collection.rank(QUERY, candidates=[3, 1, 3, 3, 1]))[-1]
        assert repeated.results == chosen.results and repeated.done == repeated.total == 2
        older = collection.rank(QUERY, latest=True)
        newer = collection.rank(QUERY, latest=True)
        assert code_of(lambda: list(older)) == "aborted"
        assert list(newer)[-1].done == 4
        assert code_of(lambda: collection.rank(QUERY, candidates=[4])) == "input"
    assert code_of(lambda: collection.rank(QUERY)) == "disposed"


def test_documents_are_texts_mappings_or_objects(reranker: Reranker) -> None:
    forms = [
        DOCUMENTS,
        tuple(DOCUMENTS),
        np.array(DOCUMENTS),
        [{"page_content": document} for document in DOCUMENTS],
        [SimpleNamespace(page_content=document, metadata={}) for document in DOCUMENTS],
        [SimpleNamespace(content=document) for document in DOCUMENTS],
    ]
    expected = [(r.index, r.score) for r in reranker.rerank(QUERY, DOCUMENTS).results]
    for form in forms:
        assert [(r.index, r.score) for r in reranker.rerank(QUERY, form).results] == expected
    assert document_texts(["a\ud800b"]) == ["a\ufffdb"]
    # Half of a surrogate pair is U+FFFD, as in JavaScript.
    half, whole = ("one \ud800 two", "\ud83d a"), ("one \ufffd two", "\ufffd a")
    assert reranker.score([half]) == reranker.score([whole])
    assert reranker.rerank(half[0], [half[1]]).results == reranker.rerank(whole[0], [whole[1]]).results
    assert reranker.explain(*half).units == reranker.explain(*whole).units
    assert document_texts([{"text": half[1]}, "\ud83e\udd80"]) == [whole[1], "🦀"]

    @dataclasses.dataclass
    class Page:
        title: str
        tags: list[str]

    page = Page("Rivers", ["one", "two"])
    assert document_texts([page], ["title", "tags"]) == ["title: Rivers\ntags: one, two"]
    assert code_of(lambda: document_texts([{"title": 1}], "title")) == "input"
    for one in ("a text", {"title": "a"}):
        assert code_of(lambda one=one: document_texts(one)) == "input"
    assert document_texts(iter(["a text"])) == ["a text"]
    for binary in (b"a text", bytearray(b"a text"), memoryview(b"a text")):
        assert code_of(lambda binary=binary: document_texts([{"title": binary}], ["title"])) == "input"
    assert code_of(lambda: reranker.rerank(QUERY, "one text")) == "input"
    assert code_of(lambda: reranker.rerank(QUERY, [7])) == "input"


@pytest.mark.parametrize(
    "value", [float("nan"), Decimal("9.5"), UUID(int=7), b"bytes", {("a", "b"): 1}, object()], ids=lambda value: type(value).__name__
)
def test_fields_that_are_not_read_may_hold_anything(value: Any) -> None:
    @dataclasses.dataclass
    class Row:
        body: str
        price: Any

    for document in ({"price": value, "body": "a text"}, Row("a text", value)):
        assert document_texts([document]) == document_texts([document], ["body"]) == ["a text"]
        assert document_texts([document], ["body"], "lines") == ["body: a text"]
    document = {"author": [{"name": "Ann", "id": value}, {"id": value}], "a.b": "dots", "a": value, "c": {"d.e": 1, "d": value}}
    assert document_texts([document], ["author.name", "a.b", "c.d.e"]) == ["author.name: Ann\na.b: dots\nc.d.e: 1"]
    for options in ({"rank_fields": ["price"]}, {"structured": "yaml"}):
        with pytest.raises(RankletError, match="document 1: ") as caught:
            document_texts([{"price": 1}, {"price": value}], **options)
        assert caught.value.item == ("document", 1, 2)


@pytest.mark.parametrize("case", APPLICATION["texts"], ids=lambda case: json.dumps(case["document"])[:40])
def test_texts_of_structured_documents(case: dict[str, Any]) -> None:
    # A second document has all fields, so that a missing one is no error.
    documents = [case["document"], dict.fromkeys(case.get("rank_fields") or (), "x") or "x"]
    assert document_texts(documents, case.get("rank_fields"), case.get("structured"))[0] == case["text"]


@pytest.mark.parametrize("case", APPLICATION["rankings"])
def test_rankings_of_scores(case: dict[str, Any]) -> None:
    ranked = rank_scores(case["scores"], case.get("top_n"), case.get("min_score"), read_fuse(case.get("fuse")))
    assert [index for index, _, _ in ranked] == [result["index"] for result in case["results"]]
    for (_, score, model_score), expected in zip(ranked, case["results"]):
        assert score == pytest.approx(expected["score"], abs=1e-6)
        assert model_score == expected.get("model_score")


@pytest.mark.parametrize("fuse", [fuse for fuse, _ in APPLICATION["refused_fusions"]], ids=json.dumps)
def test_wrong_fusions_are_refused(reranker: Reranker, fuse: Any) -> None:
    assert code_of(lambda: reranker.rerank(QUERY, DOCUMENTS[:2], fuse=fuse)) == "input"


def test_min_score_fusion_and_deadline(reranker: Reranker) -> None:
    scores = reranker.score([[QUERY, document] for document in DOCUMENTS])
    kept = reranker.rerank(QUERY, DOCUMENTS, min_score=float(scores.max())).results
    assert [result.index for result in kept] == [1]
    fused = reranker.rerank(QUERY, DOCUMENTS, fuse={"first_stage": [3, None, 2, 1], "method": "rrf"}).results
    assert {result.index: result.model_score for result in fused} == dict(enumerate(scores.tolist()))
    late = reranker.rerank(QUERY, DOCUMENTS * 2000, deadline_ms=50)
    assert late.unscored and late.unscored == list(range(8000 - len(late.unscored), 8000))
    assert len(late.results) == 8000 - len(late.unscored)
    assert code_of(lambda: reranker.rerank(QUERY, DOCUMENTS, deadline_ms=0)) == "input"
    assert code_of(lambda: reranker.rerank(QUERY, DOCUMENTS, deadline_ms=float("nan"))) == "input"
    for far in (1e30, float("inf")):
        assert reranker.rerank(QUERY, DOCUMENTS, deadline_ms=far).unscored == []


def test_collections_take_the_options_of_rerank(reranker: Reranker) -> None:
    progress: list[tuple[int, int]] = []
    texts = DOCUMENTS * 200
    with reranker.prepare(texts, on_progress=lambda *call: progress.append(call)) as collection:
        assert progress == [(256, 800), (512, 800), (768, 800), (800, 800)]
        options: dict[str, Any] = {"min_score": 0.2, "fuse": {"first_stage": [4, 3, None, 1], "method": "rrf"}, "top_n": 2}
        final = list(collection.rank(QUERY, candidates=[0, 1, 2, 3], **options))[-1]
        assert final.results == reranker.rerank(QUERY, DOCUMENTS, **options).results and final.unscored == []
        assert final.results[0].model_score is not None and final.timings.engine_ms > 0
        *earlier, late = collection.rank(QUERY, deadline_ms=5)
        assert late.unscored == list(range(800 - len(late.unscored), 800)) != []
        assert len(late.results) == late.done == 800 - len(late.unscored)
        assert all(ranking.unscored == [] for ranking in earlier)
        assert code_of(lambda: collection.rank(QUERY, fuse={"first_stage": [1], "method": "rrf"})) == "input"
        assert code_of(lambda: collection.rank(QUERY, candidates=[0, 0], fuse={"first_stage": [1, 1], "method": "rrf"})) == "input"
        assert code_of(lambda: collection.rank(QUERY, deadline_ms=-1)) == "input"
    assert list(reranker.prepare([]).rank(QUERY))[-1].results == []
    parts = [part.results for part in reranker.stream(QUERY, DOCUMENTS, min_score=0.2)]
    kept = [result.index for results in parts for result in results]
    assert kept == sorted(result.index for result in reranker.rerank(QUERY, DOCUMENTS, min_score=0.2).results)
    assert 0 < len(kept) < 4
    hits = reranker.rank(QUERY, DOCUMENTS, min_score=0.2)
    assert sorted(hit["corpus_id"] for hit in hits) == kept
    with pytest.raises(KeyError):
        reranker.prepare(texts, on_progress=lambda done, total: {}[done])


def test_score_cache_gives_the_same_scores_without_reading_tokens() -> None:
    cached = Reranker.load(device="cpu", score_cache={"max_bytes": 1_000_000})
    first, second = (cached.rerank(QUERY, DOCUMENTS * 30) for _ in range(2))
    assert [(r.index, r.score) for r in first.results] == [(r.index, r.score) for r in second.results]
    assert (second.usage.tokens, second.timings.cache_hits) == (0, 120)
    assert first.usage.tokens > 0


def test_long_documents_are_scored_in_chunks_with_spans_in_code_points(reranker: Reranker) -> None:
    document = "😀 é filler words " * 300 + DOCUMENTS[1] + " 😀 é filler words" * 300
    result = reranker.rerank(QUERY, [document], long_documents="chunk").results[0]
    assert result.span is not None and DOCUMENTS[1] in document[slice(*result.span)]
    assert result.score > reranker.rerank(QUERY, [document]).results[0].score


@pytest.mark.parametrize(
    "options",
    [
        {"scores": "softmax"},
        {"long_documents": "cut"},
        {"top_n": 0},
        {"max_tokens_per_document": -1},
        {"rank_fields": ["no_such_field"]},
        {"structured": "xml"},
    ],
)
def test_wrong_options_are_refused(reranker: Reranker, options: dict[str, Any]) -> None:
    assert code_of(lambda: reranker.rerank(QUERY, [{"text": "a"}], **options)) == "input"
    with pytest.raises(TypeError):
        reranker.rerank(QUERY, ["a"], topn=1)


def test_unsupported_options_and_several_labels() -> None:
    model = fixture("bert-labels3-cjk-h60")
    several = Reranker.load(model.folder, device="cpu")
    assert several.score(model.pairs).shape == (len(model.pairs), 3)
    assert code_of(lambda: several.rerank(QUERY, DOCUMENTS)) == "input"
    with Reranker.load(device="cpu") as one:
        assert code_of(lambda: one.rerank(QUERY, DOCUMENTS, instruction="find")) == "unsupported"
        assert code_of(lambda: one.rerank(QUERY, DOCUMENTS, scores="probability")) == "unsupported"
    assert code_of(lambda: one.rerank(QUERY, DOCUMENTS)) == "disposed"


def test_async_calls_return_the_same_and_end_when_canceled() -> None:
    async def run() -> None:
        async with await AsyncReranker.load(device="cpu", threads=1) as reranker:
            one, two = await asyncio.gather(reranker.rerank(QUERY, DOCUMENTS), reranker.rank(QUERY, DOCUMENTS))
            assert [result.index for result in one.results] == [hit["corpus_id"] for hit in two]
            parts = [part async for part in reranker.stream(QUERY, DOCUMENTS)]
            assert sum(len(part.results) for part in parts) == 4
            async with await reranker.prepare(DOCUMENTS) as collection:
                rankings = [ranking async for ranking in collection.rank(QUERY)]
                assert rankings[-1].results[0].index == 1
            canceled = Canceled()
            await canceled.run(reranker.score([[QUERY, DOCUMENTS[1]]] * 100, on_progress=canceled.on_progress))
            assert len(canceled.calls) == 1
            assert (await reranker.score([[QUERY, "a"]])).shape == (1,)

    asyncio.run(run())
