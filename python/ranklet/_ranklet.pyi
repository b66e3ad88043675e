"""The native module. Only this package uses it."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike

ExplanationRow = tuple[float, float, list[tuple[str, int, int, float]], int, float, tuple[int, int] | None]

def error_codes() -> list[str]: ...
def embedded_file(name: str) -> bytes | None: ...
def document_texts(documents: str, rank_fields: Sequence[str] | None, structured: str | None) -> list[str]: ...
def rank_scores(
    scores: Sequence[float | None],
    top_n: int | None,
    min_score: float | None,
    fuse: tuple[Sequence[float | None], str, float | None, float | None] | None,
) -> list[tuple[int, float, float | None]]: ...
def panic_inside(message: str) -> None: ...
def explain(
    reranker: NativeReranker,
    query: str,
    document: str,
    unit: str,
    of: str,
    samples: int,
    long_documents: str,
    instruction: str | None,
    on_step: Callable[[int, int, ExplanationRow], object],
) -> ExplanationRow: ...
def explain_cost(
    reranker: NativeReranker,
    query: str,
    document: str,
    unit: str,
    of: str,
    samples: int,
    long_documents: str,
    instruction: str | None,
) -> int: ...
def highlights(
    reranker: NativeReranker,
    query: str,
    documents: Sequence[tuple[str, float | None]],
    count: int,
    scores: str,
    max_tokens_per_document: int | None,
    long_documents: str,
    instruction: str | None,
    deadline: float | None,
    check: Callable[[], object],
) -> tuple[list[list[tuple[int, int, float]]], int]: ...
def download(
    model: str,
    revision: str | None,
    weights: str | None,
    token: str | None,
    cache: str | None,
    local_files_only: bool,
) -> str: ...
def wanted_files(listing: Sequence[str], weights: str | None, read: Callable[[str], bytes]) -> list[str]: ...

class NativeReranker:
    @staticmethod
    def load(source: str | PathLike[str] | Mapping[str, bytes] | None, options: str) -> NativeReranker: ...
    def info(self) -> str: ...
    def scoring(
        self,
        query: str,
        documents: Sequence[str],
        scores: str,
        max_tokens_per_document: int | None,
        long_documents: str,
        instruction: str | None,
        deadline: float | None,
    ) -> NativeScoring: ...
    def score_cached(
        self,
        query: str,
        documents: Sequence[str],
        scores: str,
        max_tokens_per_document: int | None,
        long_documents: str,
        instruction: str | None,
        deadline: float | None,
        check: Callable[[], object],
    ) -> tuple[list[float | None], list[tuple[int, int] | None], int, int]: ...
    def scoring_pairs(self, queries: Sequence[str], documents: Sequence[str], scores: str, prompt: str | None) -> NativeScoring: ...
    def scoring_prepared(
        self,
        query: str,
        collection: NativeCollection,
        candidates: Sequence[int] | None,
        scores: str,
        deadline: float | None,
    ) -> NativeScoring: ...
    def prepare(
        self,
        documents: Sequence[str],
        max_tokens_per_document: int | None,
        long_documents: str,
        on_step: Callable[[int], object],
    ) -> NativeCollection: ...

class NativeCollection: ...

class NativeScoring:
    restarted: bool
    spans: list[tuple[int, int]] | None
    done: int
    tokens: int
    def step(self) -> bytearray | None: ...
    def set_max_batch_tokens(self, tokens: int) -> None: ...
