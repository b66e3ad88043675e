"""Keeps written passages that are close to the report's texts out of training.

General knowledge is limited, so other authors write about the same facts: such passages are found by their embeddings.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.sources import Collection

TRAINING = Path(__file__).parents[1]
PAGE = TRAINING.parent / "www" / "documents" / "collection.json"
EXAMPLES = TRAINING / "examples.json"
# Cosines of all-MiniLM-L6-v2 from which two texts count as the same subject. From 0.6 on most pairs of passages state the same
# fact, from 0.55 to 0.6 some do.
NEAR = 0.55


def own_texts():
    """Returns the page's passages and queries, and the examples of the README and the model cards."""
    page = json.loads(PAGE.read_text())
    examples = json.loads(EXAMPLES.read_text())
    texts = [passage["text"] for passage in page["passages"]] + [entry["query"] for entry in page["queries"]]
    return texts + [text for query, documents in examples.items() for text in (query, *documents)]


def without_near(collection, passages, queries, held_out, near=NEAR):
    """Returns the collection without the passages that are near a held-out text, or one of whose queries is.

    The matrices have normalized embeddings: of the collection's passages and queries in their order, and of the held-out texts.
    """
    # numpy multiplies matrices of f16 without BLAS, which is slow.
    passages, queries, held_out = (matrix.astype(np.float32) for matrix in (passages, queries, held_out))
    closest = dict(zip(collection.passages, (passages @ held_out.T).max(1)))
    for query, value in zip(collection.queries, (queries @ held_out.T).max(1)):
        for answer in query.answers:
            closest[answer] = max(closest[answer], value)
    kept = Collection(collection.name, {name: text for name, text in collection.passages.items() if closest[name] < near})
    for query in collection.queries:
        negatives = [name for name in query.negatives if name in kept.passages]
        if negatives and all(answer in kept.passages for answer in query.answers):
            kept.queries.append(replace(query, negatives=negatives))
    return kept
