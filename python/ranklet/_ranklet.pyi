"""The native module. Only this package uses it."""

from collections.abc import Mapping, Sequence
from os import PathLike

def error_codes() -> list[str]: ...

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
        prompt: str | None,
    ) -> NativeScoring: ...
    def scoring_pairs(
        self, queries: Sequence[str], documents: Sequence[str], scores: str, prompt: str | None
    ) -> NativeScoring: ...
    def scoring_prepared(
        self, query: str, collection: NativeCollection, candidates: Sequence[int] | None, scores: str
    ) -> NativeScoring: ...
    def prepare(
        self, documents: Sequence[str], max_tokens_per_document: int | None, long_documents: str
    ) -> NativeCollection: ...

class NativeCollection: ...

class NativeScoring:
    restarted: bool
    spans: list[tuple[int, int]] | None
    done: int
    tokens: int
    def step(self) -> bytearray | None: ...
    def set_max_batch_tokens(self, tokens: int) -> None: ...
