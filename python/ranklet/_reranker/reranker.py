"""The class Reranker: Ranklet's own API."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import _model
from .._documents import document_texts
from .._hub import find_model
from .._integrity import check_integrity
from .._pairs import read_pairs
from .._ranklet import NativeReranker, rank_scores
from ..errors import RankletError, input_error, make_error, moved
from .collection import Collection
from .explanations import Explains
from .fusion import read_deadline, read_fuse
from .results import RerankResponse, StreamPart, Timings, Usage
from .scored import WINDOW, Progress, Scored, ScoringOptions, Stop, report


class Reranker(Explains):
    """A loaded model that scores how well documents answer a query. Create it with `Reranker.load`."""

    _loaded: NativeReranker | None
    _has_cache: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("create a Reranker with Reranker.load(model)")

    @classmethod
    def load(
        cls,
        source: _model.Source = None,
        *,
        device: str = "auto",
        dtype: str = "auto",
        threads: int | None = None,
        weights: str | None = None,
        max_length: int | None = None,
        max_memory_bytes: int | None = None,
        score_cache: Mapping[str, int] | None = None,
        revision: str | None = None,
        token: bool | str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        integrity: Mapping[str, str] | None = None,
    ) -> Reranker:
        """Loads a model.

        Args:
            source: a folder, the id of a model on the Hub, the contents of the model's files by name, or None for the
                model in this package.
            device: "cpu", "gpu", or "auto", which measures both and takes the faster one.
            dtype: "f32", "q8", "f16" on a GPU, "q4" for a file in q4, or "auto" for the format of the file.
            threads: number of threads; by default that of the processors.
            weights: the file with the weights, such as "onnx/model_quantized.onnx".
            max_length: maximum number of tokens of a pair.
            max_memory_bytes: a model that would take more is refused before its weights are read.
            score_cache: {"max_bytes": n} keeps the scores of `rerank` and `rank` for their later calls. A score takes
                about 280 bytes.
            revision: the branch, tag or commit of a model on the Hub.
            token: the access token for private models on the Hub.
            cache_dir: the folder of downloads; by default that of huggingface_hub.
            local_files_only: whether to load only what was downloaded before.
            integrity: SHA-256 of files by name: "sha256-" and base64, or 64 hexadecimal digits.
        """
        path = find_model(
            source,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            weights=weights,
        )
        check_integrity(path, integrity or {})
        options = {
            "device": device,
            "dtype": dtype,
            "threads": threads,
            "weights": weights,
            "max_length": max_length,
            "max_memory_bytes": max_memory_bytes,
            "score_cache": score_cache,
        }
        reranker = cls.__new__(cls)
        reranker._loaded, reranker._has_cache = _model.load(path, options), score_cache is not None
        return reranker

    def __repr__(self) -> str:
        if self._loaded is None:
            return "Reranker(disposed)"
        info = self.info
        return f"Reranker({info['model_type']}, {info['backend']['device']}, {info['backend']['dtype']})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a Reranker cannot be pickled: load it in each process, or use ranklet.CrossEncoder")

    @property
    def _native(self) -> NativeReranker:
        if self._loaded is None:
            raise make_error("disposed", "the reranker was disposed; load the model again")
        return self._loaded

    @property
    def info(self) -> dict[str, Any]:
        """The model and the engine that computes."""
        info: dict[str, Any] = json.loads(self._native.info())
        return info

    def dispose(self) -> None:
        """Frees the model. Later calls raise an error with the code "disposed"."""
        self._loaded = None

    def __enter__(self) -> Reranker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.dispose()

    def rerank(
        self,
        query: str,
        documents: Sequence[Any],
        *,
        top_n: int | None = None,
        return_documents: bool = False,
        rank_fields: Sequence[str] | None = None,
        structured: str | None = None,
        scores: str = "model",
        long_documents: str = "truncate",
        max_tokens_per_document: int | None = None,
        instruction: str | None = None,
        min_score: float | None = None,
        deadline_ms: float | None = None,
        fuse: Mapping[str, Any] | None = None,
        highlights: int | None = None,
        on_progress: Progress | None = None,
        _stop: Stop | None = None,
    ) -> RerankResponse:
        """Ranks documents by how well they answer a query, best first. Equal scores keep the order of the documents.

        Args:
            documents: texts, mappings with a text, or objects with a text, such as those of LangChain.
            top_n: maximum number of results.
            return_documents: whether each result has its document.
            rank_fields: the fields of each document that are scored.
            structured: "yaml" or "lines", the form of a document with fields.
            scores: "model" applies the model's activation, "raw" none, "sigmoid" a sigmoid, "probability" the
                calibration that `ranklet calibrate` has written.
            long_documents: "truncate", or "chunk" to score a document by its best part.
            max_tokens_per_document: maximum number of tokens of a document that are read.
            instruction: the task, for models whose prompt has one.
            min_score: results below it are left out.
            deadline_ms: the call ends after this time with the documents scored so far; `unscored` has the others.
            fuse: {"first_stage": [...], "method": "rrf" | "linear", "k": 60, "weight": 0.5}.
            highlights: number of best sentences to find in each result, each scored as a document of its own.
            on_progress: called with the numbers of scored documents and of all.
        """
        started = time.perf_counter()
        native = self._expect_one_label("rerank")
        if top_n is not None:
            top_n = _model.positive_int(top_n, "top_n")
        if highlights is not None:
            highlights = _model.positive_int(highlights, "highlights")
        min_score = _model.optional_number(min_score, "min_score")
        first_stage = read_fuse(fuse)
        options = self._scoring_options(scores, long_documents, max_tokens_per_document, instruction)
        documents = _model.listed(documents, "documents")
        texts = document_texts(documents, rank_fields, structured)
        # Refuses wrong options before anything is scored.
        rank_scores([None] * len(texts), None, min_score, first_stage)
        scored = Scored(len(texts), on_progress, _stop)
        query = _model.text(query, "query")
        seconds = read_deadline(deadline_ms)

        def remaining() -> float | None:
            return None if seconds is None else seconds - (time.perf_counter() - started)

        if self._has_cache:
            scored.run_cached(native, query, texts, options, remaining)
        elif (left := remaining()) is None or left > 0:
            scored.run(native.scoring(query, texts, *options, left))
        ranked = rank_scores(scored.scores, top_n, min_score, first_stage)
        best = [(texts[index], scored.scores[index]) for index, _, _ in ranked]
        sentences = scored.highlights(native, query, best, highlights, options, remaining)
        document_at = documents.__getitem__ if return_documents else None
        return RerankResponse(
            results=scored.results(ranked, sentences, range(len(texts)), document_at),
            usage=Usage(tokens=scored.tokens, documents=len(texts)),
            backend=self.info["backend"],
            timings=Timings((time.perf_counter() - started) * 1000, scored.engine_ms, scored.cache_hits),
            unscored=[index for index, score in enumerate(scored.scores) if score is None],
        )

    def stream(
        self,
        query: str,
        documents: Iterable[Any],
        *,
        min_score: float | None = None,
        highlights: int | None = None,
        return_documents: bool = False,
        rank_fields: Sequence[str] | None = None,
        structured: str | None = None,
        scores: str = "model",
        long_documents: str = "truncate",
        max_tokens_per_document: int | None = None,
        instruction: str | None = None,
        _stop: Stop | None = None,
    ) -> Generator[StreamPart, None, None]:
        """Scores documents and yields them after each micro-batch, in order. `documents` may be any iterable; it is read
        a little ahead. Leaving the loop ends the work.

        If a GPU fails and the CPU takes over, the documents of the current window are yielded again.
        """
        native = self._expect_one_label("stream")
        query = _model.text(query, "query")
        options = self._scoring_options(scores, long_documents, max_tokens_per_document, instruction)
        if isinstance(documents, (str, bytes)) or not isinstance(documents, Iterable):
            raise input_error(f"documents must be an iterable of documents, not {type(documents).__name__}")
        min_score = _model.optional_number(min_score, "min_score")
        # Refuses a wrong option before anything is scored.
        rank_scores([], None, min_score, None)
        if highlights is not None:
            highlights = _model.positive_int(highlights, "highlights")
        request = _StreamRequest(
            native=native,
            query=query,
            documents=documents,
            rank_fields=rank_fields,
            structured=structured,
            options=options,
            min_score=-math.inf if min_score is None else min_score,
            highlights=highlights,
            return_documents=return_documents,
        )
        return self._stream(request, _stop)

    def _stream(self, request: _StreamRequest, stop: Stop | None) -> Generator[StreamPart, None, None]:
        native, query, options = request.native, request.query, request.options
        total = len(request.documents) if isinstance(request.documents, Sequence) else None
        iterator, first = iter(request.documents), 0
        while window := list(itertools.islice(iterator, WINDOW)):
            try:
                texts = document_texts(window, request.rank_fields, request.structured)
            except RankletError as error:
                raise moved(error, first) from error
            scored = Scored(len(window), None, stop)
            for begin, end in scored.steps(native.scoring(query, texts, *options, None)):
                scores = [(index, float(scored.scores[index] or 0.0), None) for index in range(begin, end)]
                kept = [row for row in scores if row[1] >= request.min_score]
                best: list[tuple[str, float | None]] = [(texts[index], score) for index, score, _ in kept]
                sentences = scored.highlights(native, query, best, request.highlights, options)
                document_at = window.__getitem__ if request.return_documents else None
                results = scored.results(kept, sentences, range(first, first + len(window)), document_at)
                if end > begin:
                    yield StreamPart(results=results, done=first + end, total=total)
            first += len(window)

    def score(
        self,
        pairs: Iterable[Sequence[str]],
        *,
        scores: str = "model",
        on_progress: Progress | None = None,
        _stop: Stop | None = None,
    ) -> np.ndarray:
        """Scores pairs of a query and a document: [pairs], or [pairs, labels] for several labels, in input order."""
        queries, documents, is_single = read_pairs(pairs if isinstance(pairs, np.ndarray) else _model.listed(pairs, "pairs"))
        if is_single:
            raise input_error("pairs must be a list of pairs, not one pair")
        queries, documents = ([_model.valid(text) for text in texts] for texts in (queries, documents))
        run = self._native.scoring_pairs(queries, documents, _model.one_of(scores, "scores", _model.SCORES), None)

        def progress(done: int) -> None:
            report(done, len(queries), on_progress, _stop)

        labels = int(self.info["num_labels"])
        values = _model.collect(run, labels, progress)
        return values[:, 0] if labels == 1 else values

    def rank(
        self,
        query: str,
        documents: Sequence[Any],
        *,
        top_k: int | None = None,
        min_score: float | None = None,
        return_documents: bool = False,
        scores: str = "model",
        on_progress: Progress | None = None,
        _stop: Stop | None = None,
    ) -> list[dict[str, Any]]:
        """Ranks documents with the result of sentence-transformers' `CrossEncoder.rank`."""
        documents = _model.listed(documents, "documents")
        response = self.rerank(query, documents, top_n=top_k, min_score=min_score, scores=scores, on_progress=on_progress, _stop=_stop)
        ranked: list[dict[str, Any]] = [{"corpus_id": result.index, "score": result.score} for result in response.results]
        if return_documents:
            texts = document_texts(documents)
            for result in ranked:
                result["text"] = texts[result["corpus_id"]]
        return ranked

    def prepare(
        self,
        documents: Sequence[Any],
        *,
        rank_fields: Sequence[str] | None = None,
        structured: str | None = None,
        long_documents: str = "truncate",
        max_tokens_per_document: int | None = None,
        on_progress: Progress | None = None,
        _stop: Stop | None = None,
    ) -> Collection:
        """Tokenizes documents once, for many queries.

        Args:
            on_progress: called from time to time with the numbers of tokenized documents and of all.
        """
        native = self._expect_one_label("prepare")
        _, limit, long_documents, _ = self._scoring_options("model", long_documents, max_tokens_per_document, None)
        documents = _model.listed(documents, "documents")
        texts = document_texts(documents, rank_fields, structured)

        def on_step(done: int) -> None:
            report(done, len(texts), on_progress, _stop)

        prepared = native.prepare(texts, limit, long_documents, on_step)
        return Collection(self, prepared, documents, texts, (limit, long_documents))

    def _scoring_options(
        self, scores: str, long_documents: str, max_tokens_per_document: int | None, instruction: str | None
    ) -> ScoringOptions:
        if max_tokens_per_document is not None:
            max_tokens_per_document = _model.positive_int(max_tokens_per_document, "max_tokens_per_document")
        return (
            _model.one_of(scores, "scores", _model.SCORES),
            max_tokens_per_document,
            _model.one_of(long_documents, "long_documents", _model.LONG_DOCUMENTS),
            _model.optional_text(instruction, "instruction"),
        )

    def _expect_one_label(self, call: str) -> NativeReranker:
        labels = self.info["num_labels"]
        if labels != 1:
            raise input_error(f"{call} needs a model with one label, and this one has {labels}; use score()")
        return self._native


@dataclasses.dataclass(frozen=True)
class _StreamRequest:
    """The checked options of `Reranker.stream`."""

    native: NativeReranker
    query: str
    documents: Iterable[Any]
    rank_fields: Sequence[str] | None
    structured: str | None
    options: ScoringOptions
    min_score: float
    highlights: int | None
    return_documents: bool
