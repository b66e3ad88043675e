"""Reranks search results with a cross-encoder on the CPU, with the scores of sentence-transformers."""

from ._activation import Identity, Sigmoid
from ._cross_encoder import CrossEncoder
from .errors import ErrorItem, RankletError

__all__ = ["CrossEncoder", "ErrorItem", "Identity", "RankletError", "Sigmoid"]
__version__ = "0.1.0"
