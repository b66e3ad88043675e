"""Explanations and comparisons. The contributions are checked against the scores of texts that this file cuts itself."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from conftest import Canceled, fixture
from ranklet import AsyncReranker, Comparison, Explanation, RankletError, Reranker, document_texts

QUERY = "capital of France"
DOCUMENT = "Paris is the capital of France."


@pytest.fixture(scope="module")
def reranker() -> Reranker:
    return Reranker.load(device="cpu")


def logits(reranker: Reranker, documents: list[str]) -> list[float]:
    scores: list[float] = reranker.score([[QUERY, document] for document in documents], scores="raw").tolist()
    return scores


def test_contribution_of_a_word_is_what_is_lost_without_it_and_what_it_adds_alone(reranker: Reranker) -> None:
    explanation = reranker.explain(QUERY, DOCUMENT)
    words = [DOCUMENT[unit.start : unit.end] for unit in explanation.units]
    assert words == re.findall(r"\w+", DOCUMENT) and {unit.text for unit in explanation.units} == {"document"}
    without = [" ".join(words[:at] + words[at + 1 :]) + "." for at in range(len(words))]
    without[-1] = " ".join(words[:-1]) + " ."
    alone = [f"{word} ." for word in words]
    whole, base, *rest = logits(reranker, [DOCUMENT, ".", *without, *alone])
    assert (explanation.logit, explanation.base) == pytest.approx((whole, base), abs=1e-5)
    lost, added = [whole - logit for logit in rest[: len(words)]], [logit - base for logit in rest[len(words) :]]
    means = [(a + b) / 2 for a, b in zip(lost, added, strict=True)]
    assert [unit.contribution for unit in explanation.units] == pytest.approx(means, abs=1e-5)
    error = sum(unit.contribution for unit in explanation.units) - (whole - base)
    assert explanation.additivity_error == pytest.approx(error, abs=1e-4)


def test_shapley_values_add_up_and_the_cost_is_known_beforehand(reranker: Reranker) -> None:
    options: dict[str, Any] = {"of": "both", "samples": 4}
    calls: list[tuple[int, int, Explanation]] = []
    explanation = reranker.explain(QUERY, DOCUMENT, **options, on_progress=lambda *call: calls.append(call))
    cost = reranker.explain_cost(QUERY, DOCUMENT, **options).variants
    units = explanation.units
    assert [unit.text for unit in units] == ["query"] * 3 + ["document"] * 6
    assert abs(explanation.additivity_error) < 1e-4
    assert sum(unit.contribution for unit in units) == pytest.approx(explanation.logit - explanation.base, abs=1e-4)
    assert explanation.variants == cost == calls[0][1]
    assert calls[0][0] == 0 and [unit.contribution for unit in calls[0][2].units] == [0.0] * 9
    assert calls[-1][0] == cost and calls[-1][2] == explanation


def test_offsets_count_code_points(reranker: Reranker) -> None:
    document = "😀 Paris é la capitale. 🇫🇷 Das ist Brot! 東京は都市です。"
    units = reranker.explain(QUERY, document, unit="sentence").units
    sentences = [document[unit.start : unit.end] for unit in units]
    assert sentences == ["😀 Paris é la capitale.", "🇫🇷 Das ist Brot!", "東京は都市です。"]
    assert max(units, key=lambda unit: unit.contribution) == units[0]


def test_comparison_has_the_difference_and_what_lifts_each(reranker: Reranker) -> None:
    other = "Bread is tasty in France."
    progress: list[tuple[int, int, Comparison]] = []
    comparison = reranker.compare(QUERY, DOCUMENT, other, on_progress=lambda *call: progress.append(call))
    first, second = logits(reranker, [DOCUMENT, other])
    assert comparison.difference == pytest.approx(first - second, abs=1e-5)
    for explained, document, sign in [(comparison.a, DOCUMENT, 1), (comparison.b, other, -1)]:
        expected = reranker.explain(QUERY, document)
        assert (explained.logit, explained.base, explained.variants) == (expected.logit, expected.base, expected.variants)
        units = [(u.text, u.start, u.end, u.contribution, sign * u.contribution) for u in expected.units]
        assert [(u.text, u.start, u.end, u.contribution, u.lift) for u in explained.units] == units
    total = comparison.a.variants + comparison.b.variants
    assert progress[0][:2] == (0, total) and progress[-1] == (total, total, comparison)


def test_a_long_document_is_explained_as_it_is_ranked() -> None:
    reranker = Reranker.load(device="cpu", max_length=64)
    document = "One river flows here. " * 30 + DOCUMENT
    choices: list[dict[str, Any]] = [{}, {"long_documents": "truncate"}, {"long_documents": "chunk"}]
    default, cut, best = ranked = [reranker.rerank(QUERY, [document], scores="raw", **options).results[0] for options in choices]
    assert default == cut and best.score > cut.score
    for options, result in zip(choices, ranked, strict=True):
        explanation = reranker.explain(QUERY, document, unit="sentence", **options)
        assert (explanation.logit, explanation.span) == (result.score, result.span)
        assert reranker.explain_cost(QUERY, document, unit="sentence", **options).variants >= explanation.variants
        comparison = reranker.compare(QUERY, document, DOCUMENT, unit="sentence", **options)
        assert (comparison.a.logit, comparison.a.span) == (result.score, result.span)


def test_document_texts_are_what_positions_refer_to(reranker: Reranker) -> None:
    documents = [{"title": "Rivers", "body": "It rains. Paris is the capital of France."}, {"title": "Bread"}]
    texts = document_texts(documents, ["title", "body"])
    assert texts == ["title: Rivers\nbody: It rains. Paris is the capital of France.", "title: Bread"]
    result = reranker.rerank(QUERY, documents, rank_fields=["title", "body"], highlights=1, scores="raw").results[0]
    assert result.highlights is not None
    (best,) = result.highlights
    assert texts[result.index][best.start : best.end] == "Paris is the capital of France."
    assert reranker.explain(QUERY, texts[result.index]).logit == result.score


def test_wrong_options_and_texts_are_refused(reranker: Reranker) -> None:
    wrong: list[dict[str, Any]] = [{"unit": "letter"}, {"of": "title"}, {"samples": -1}, {"samples": 1.5}]
    for options in wrong:
        with pytest.raises(ValueError):
            reranker.explain(QUERY, DOCUMENT, **options)
        with pytest.raises(ValueError):
            reranker.explain_cost(QUERY, DOCUMENT, **options)
    with pytest.raises(ValueError, match="fewer samples"):
        reranker.explain_cost(QUERY, DOCUMENT, samples=1_000_000)
    for texts in ((QUERY, 7), (None, DOCUMENT)):
        with pytest.raises(ValueError):
            reranker.explain(*texts)


def test_exceptions_of_the_callback_and_canceled_tasks_end_the_call(reranker: Reranker) -> None:
    def fail(done: int, total: int, explanation: Explanation) -> None:
        if done > 0:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        reranker.explain(QUERY, DOCUMENT, on_progress=fail)

    async def run() -> None:
        calls = AsyncReranker(reranker)
        explanation, comparison = await asyncio.gather(
            calls.explain(QUERY, DOCUMENT), calls.compare(QUERY, DOCUMENT, "Bread.", unit="sentence")
        )
        assert explanation == reranker.explain(QUERY, DOCUMENT) and comparison.difference > 0
        assert calls.explain_cost(QUERY, DOCUMENT).variants == explanation.variants
        canceled = Canceled()
        await canceled.run(calls.explain(QUERY, DOCUMENT * 20, samples=500, on_progress=canceled.on_progress))
        assert len(canceled.calls) == 1

    asyncio.run(run())


def test_models_with_several_labels_are_refused() -> None:
    several = Reranker.load(fixture("bert-labels3-cjk-h60").folder, device="cpu")
    with pytest.raises(RankletError) as caught:
        several.explain(QUERY, DOCUMENT)
    assert caught.value.code == "input"
