"""Keeps written topics that are close to the report's questions out of training.

The demo page's collection and the README's example are held out. General knowledge is limited, so other authors write about
the same facts: such topics are found by their embeddings.
"""

import json
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parents[2] / "www" / "documents" / "collection.json"
README = (
    "How do I reset my password?",
    "Open Settings, choose Account, then select Forgot password.",
    "What is the capital of France?",
    "Paris is the capital of France and its largest city.",
)
# Cosines of all-MiniLM-L6-v2 from which two texts count as the same subject.
NEAR = 0.6


def texts():
    """Returns the page's passages and queries, and those of the README."""
    page = json.loads(PAGE.read_text())
    return [*(passage["text"] for passage in page["passages"]), *(entry["query"] for entry in page["queries"]), *README]


def drop_near(collection, passages, queries, held_out, near=NEAR):
    """Removes the passages, with their queries, whose text or one of whose queries is near a held-out text.

    The matrices have normalized embeddings in the order of the collection's passages and queries. Returns the removed ids.
    """
    names = list(collection.passages)
    closest = {name: value for name, value in zip(names, (passages @ held_out.T).max(1))}
    for query, value in zip(collection.queries, (queries @ held_out.T).max(1)):
        for answer in query.answers:
            closest[answer] = max(closest[answer], value)
    removed = {name for name in names if closest[name] >= near}
    collection.passages = {name: text for name, text in collection.passages.items() if name not in removed}
    collection.queries = [query for query in collection.queries if not removed.intersection(query.answers)]
    for query in collection.queries:
        query.negatives = [name for name in query.negatives if name not in removed]
    return sorted(removed)
