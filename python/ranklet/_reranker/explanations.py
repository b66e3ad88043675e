"""Explanations: what each word or sentence adds to a score, and what puts one document above another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from .. import _model, _ranklet
from ..errors import make_error
from .scored import Stop

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


@dataclasses.dataclass(frozen=True)
class ExplanationCost:
    """The work of an explanation."""

    variants: int
    """Number of pairs that are scored."""


@dataclasses.dataclass(frozen=True)
class Lift:
    """What a word or a sentence adds to the difference between two documents."""

    of: Literal["a", "b"]
    """The explanation that it is in."""
    text: Literal["query", "document"]
    start: int
    end: int
    lift: float
    """For a unit of `a` its contribution; for one of `b` its contribution with the opposite sign."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What puts one document above or below another."""

    difference: float
    """The logit of `a` minus that of `b`."""
    a: Explanation
    b: Explanation
    units: list[Lift]
    """The units of `a`, then those of `b`."""


ExplainProgress = Callable[[int, int, Explanation], object]


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
        instruction: str | None = None,
        on_progress: ExplainProgress | None = None,
        _stop: Stop | None = None,
    ) -> Explanation:
        """Computes what each word or sentence adds to the logit of a pair.

        Args:
            unit: "word" or "sentence".
            of: the texts whose units are left out: "document", "query" or "both".
            samples: number of random orders for Shapley values, which add up to the difference between the logit and
                the logit without the units. With 0, each unit is left out alone.
            on_progress: called with the number of pairs scored so far, the number of all, and the explanation so far;
                for the first time before anything is scored.
        """
        return _explain(
            self._expect_one_label("explain"),
            query,
            document,
            _options(unit, of, samples),
            instruction,
            on_progress,
            _stop,
        )

    def explain_cost(
        self, query: str, document: str, *, unit: str = "word", of: str = "document", samples: int = 0
    ) -> ExplanationCost:
        """Returns the work of `explain` with these options, without scoring."""
        self._expect_one_label("explain_cost")
        query, document = _model.text(query, "query"), _model.text(document, "document")
        return ExplanationCost(_ranklet.explain_cost(query, document, *_options(unit, of, samples)))

    def compare(
        self,
        query: str,
        a: str,
        b: str,
        *,
        unit: str = "word",
        samples: int = 0,
        instruction: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
        _stop: Stop | None = None,
    ) -> Comparison:
        """Explains what puts document `a` above or below document `b`, with the options of `explain`.

        Args:
            on_progress: called with the number of pairs scored so far, and the number of all.
        """
        native = self._expect_one_label("compare")
        options = _options(unit, "document", samples)
        query, a, b = _model.text(query, "query"), _model.text(a, "a"), _model.text(b, "b")
        costs = [_ranklet.explain_cost(query, document, *options) for document in (a, b)]

        def explained(document: str, done_before: int) -> Explanation:
            def progress(done: int, total: int, explanation: Explanation) -> None:
                if on_progress is not None:
                    on_progress(done_before + done, sum(costs))

            return _explain(native, query, document, options, instruction, progress, _stop)

        first, second = explained(a, 0), explained(b, costs[0])
        lifts = [Lift("a", unit.text, unit.start, unit.end, unit.contribution) for unit in first.units]
        lifts += [Lift("b", unit.text, unit.start, unit.end, -unit.contribution) for unit in second.units]
        return Comparison(first.logit - second.logit, first, second, lifts)


def _options(unit: str, of: str, samples: int) -> tuple[str, str, int]:
    if samples != 0:
        samples = _model.positive_int(samples, "samples")
    return _model.one_of(unit, "unit", UNITS), _model.one_of(of, "of", EXPLAINED_TEXTS), samples


def _explain(
    native: NativeReranker,
    query: str,
    document: str,
    options: tuple[str, str, int],
    instruction: str | None,
    on_progress: ExplainProgress | None,
    stop: Stop | None,
) -> Explanation:
    def on_step(done: int, total: int, row: ExplanationRow) -> None:
        if on_progress is not None:
            on_progress(done, total, _explanation(row))
        if stop is not None and stop():
            raise make_error("aborted", "the call was canceled")

    query, document = _model.text(query, "query"), _model.text(document, "document")
    return _explanation(_ranklet.explain(native, query, document, *options, instruction, on_step))


def _explanation(row: ExplanationRow) -> Explanation:
    logit, base, units, variants, additivity_error = row
    contributions = [Contribution(*unit) for unit in units]  # type: ignore[arg-type]
    return Explanation(logit, base, contributions, variants, additivity_error)
