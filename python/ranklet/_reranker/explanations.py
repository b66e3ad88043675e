"""Explanations: what each word or sentence adds to a score, and what puts one document above another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from .. import _model, _ranklet
from .scored import Stop, check_stop

if TYPE_CHECKING:
    from .._ranklet import ExplanationRow, NativeReranker

UNITS = ("word", "sentence")
EXPLAINED_TEXTS = ("document", "query", "both")


@dataclasses.dataclass(frozen=True)
class Contribution:
    """What a word or a sentence adds to the logit."""

    text: Literal["query", "document"]
    """The text that it is in."""
    start: int
    end: int
    """Where it is: text[start:end]."""
    contribution: float
    """The change of the logit. It is negative if the logit is higher without the unit."""


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What the units of a pair add to its logit."""

    logit: float
    base: float
    """The logit without any of the units."""
    units: list[Contribution]
    """The units of the query, then those of the document, each in the order of its text."""
    variants: int
    """Number of pairs that were scored."""
    additivity_error: float
    """The sum of the contributions minus the difference of the logits. It is a rounding error if there are samples."""
    span: tuple[int, int] | None = None
    """The part of the document that is explained, text[start:end], if it does not fit."""


@dataclasses.dataclass(frozen=True)
class ExplanationCost:
    """The work of an explanation."""

    variants: int
    """Number of pairs that are scored."""


@dataclasses.dataclass(frozen=True)
class ComparedContribution(Contribution):
    """What a word or a sentence adds to the difference between two documents."""

    lift: float
    """For a unit of `a` its contribution; for one of `b` its contribution with the opposite sign."""


@dataclasses.dataclass(frozen=True)
class ComparedExplanation(Explanation):
    """An explanation of one of two documents."""

    units: list[ComparedContribution]  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What puts one document above or below another."""

    difference: float
    """The logit of `a` minus that of `b`."""
    a: ComparedExplanation
    b: ComparedExplanation


ExplainProgress = Callable[[int, int, Explanation], object]
CompareProgress = Callable[[int, int, Comparison], object]


class Explains:
    """The explanations of a reranker."""

    def _expect_one_label(self, call: str) -> NativeReranker:
        raise NotImplementedError

    def explain(
        self,
        query: str,
        document: str,
        *,
        unit: str = "word",
        of: str = "document",
        samples: int = 0,
        long_documents: str = "truncate",
        instruction: str | None = None,
        on_progress: ExplainProgress | None = None,
        _stop: Stop | None = None,
    ) -> Explanation:
        """Computes what each word or sentence adds to the logit of a pair.

        Args:
            unit: "word" or "sentence".
            of: the texts whose units are explained: "document", "query" or "both".
            samples: number of random orders for Shapley values, which add up to the difference between the logit and
                the logit without the units. With 0, each word is left out of its sentence and kept in it alone, and
                each sentence likewise in its text.
            long_documents: the part of a document that is explained if it does not fit: "truncate" for its beginning,
                or "chunk" for its best part. With the value that `rerank` had, the logit is the raw score that it gave.
            on_progress: called with the number of pairs scored so far, the number of all, and the explanation so far;
                for the first time before anything is scored.
        """
        native = self._expect_one_label("explain")
        options = _options(unit, of, samples, long_documents, instruction)
        return _explain(native, _texts(query, document), options, on_progress, _stop)

    def explain_cost(
        self,
        query: str,
        document: str,
        *,
        unit: str = "word",
        of: str = "document",
        samples: int = 0,
        long_documents: str = "truncate",
        instruction: str | None = None,
    ) -> ExplanationCost:
        """Returns the work of `explain` with these options, without scoring."""
        native = self._expect_one_label("explain_cost")
        options = _options(unit, of, samples, long_documents, instruction)
        query, document = _texts(query, document)
        return ExplanationCost(_ranklet.explain_cost(native, query, document, *options))

    def compare(
        self,
        query: str,
        a: str,
        b: str,
        *,
        unit: str = "word",
        samples: int = 0,
        long_documents: str = "truncate",
        instruction: str | None = None,
        on_progress: CompareProgress | None = None,
        _stop: Stop | None = None,
    ) -> Comparison:
        """Explains what puts document `a` above or below document `b`, with the options of `explain`.

        Args:
            on_progress: called with the number of pairs scored so far, the number of all, and the comparison so far.
        """
        native = self._expect_one_label("compare")
        options = _options(unit, "document", samples, long_documents, instruction)
        query, a = _texts(query, a)
        query, b = _texts(query, b)
        second_cost = _ranklet.explain_cost(native, query, b, *options)

        unknown = Explanation(0.0, 0.0, [], 0, 0.0)

        def of_first(done: int, total: int, first: Explanation) -> None:
            if on_progress is not None:
                on_progress(done, total + second_cost, _comparison(first, unknown))

        def of_second(done: int, total: int, second: Explanation) -> None:
            if on_progress is not None:
                on_progress(first.variants + done, first.variants + total, _comparison(first, second))

        first = _explain(native, (query, a), options, of_first, _stop)
        return _comparison(first, _explain(native, (query, b), options, of_second, _stop))


Options = tuple[str, str, int, str, "str | None"]


def _options(unit: str, of: str, samples: int, long_documents: str, instruction: str | None) -> Options:
    if isinstance(samples, bool) or samples != 0:
        samples = _model.positive_int(samples, "samples")
    return (
        _model.one_of(unit, "unit", UNITS),
        _model.one_of(of, "of", EXPLAINED_TEXTS),
        samples,
        _model.one_of(long_documents, "long_documents", _model.LONG_DOCUMENTS),
        _model.optional_text(instruction, "instruction"),
    )


def _texts(query: str, document: str) -> tuple[str, str]:
    return _model.text(query, "query"), _model.text(document, "document")


def _explain(
    native: NativeReranker,
    texts: tuple[str, str],
    options: Options,
    on_progress: ExplainProgress | None,
    stop: Stop | None,
) -> Explanation:
    def on_step(done: int, total: int, row: ExplanationRow) -> None:
        if on_progress is not None:
            on_progress(done, total, _explanation(row))
        check_stop(stop)

    query, document = texts
    return _explanation(_ranklet.explain(native, query, document, *options, on_step))


def _comparison(a: Explanation, b: Explanation) -> Comparison:
    return Comparison(a.logit - b.logit, _with_lifts(a, 1), _with_lifts(b, -1))


def _with_lifts(explanation: Explanation, sign: int) -> ComparedExplanation:
    units = [
        ComparedContribution(unit.text, unit.start, unit.end, unit.contribution, sign * unit.contribution) for unit in explanation.units
    ]
    return ComparedExplanation(**{**vars(explanation), "units": units})


def _explanation(row: ExplanationRow) -> Explanation:
    logit, base, units, variants, additivity_error, span = row
    contributions = [Contribution(*unit) for unit in units]  # type: ignore[arg-type]
    return Explanation(logit, base, contributions, variants, additivity_error, span)
