"""sentence-transformers' CrossEncoder, without torch."""

from .activation import Identity, Sigmoid
from .cross_encoder import CrossEncoder

__all__ = ["CrossEncoder", "Identity", "Sigmoid"]
