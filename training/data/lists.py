"""Chooses candidates for every query, gives them targets, and samples lists from them."""

import json
import random
from pathlib import Path

import numpy as np

from data.bm25 import Index
from teachers.targets import Standardizer, combine, splade_scores

# Candidates per query from each source.
FROM_DENSE, FROM_BM25, FROM_RANDOM = 24, 24, 4
# Candidates from each first stage for a query with labeled negatives.
BESIDE_NEGATIVES = 12
# Strata of the candidates by target, the best 4, the next 16 and the rest: first, end, and number of documents in a list.
STRATA = ((0, 4, 2), (4, 20, 3), (20, None, 3))
LIST_SIZE = sum(count for *_, count in STRATA)
# Min number of labeled negatives in a list. The list also has one answer; other candidates fill it.
NEGATIVES = 4


def candidates(query, ids, position, dense, index, rng):
    """Returns row numbers of candidates in a pool: the best by each first stage, answers, and a few random ones."""
    chosen = [position[document] for run in query.runs.values() for document in run]
    if not chosen:
        from_dense, from_bm25 = (BESIDE_NEGATIVES,) * 2 if query.negatives else (FROM_DENSE, FROM_BM25)
        chosen += np.argpartition(-dense, min(from_dense, len(ids) - 1))[:from_dense].tolist()
        chosen += index.top(query.text, from_bm25).tolist()
    chosen += [position[labeled] for labeled in query.answers + query.negatives]
    chosen += rng.sample(range(len(ids)), min(FROM_RANDOM, len(ids)))
    return list(dict.fromkeys(chosen))


def add_cross_scores(entries, passages, cross):
    """Adds the logits of a cross-encoder to the scores of each entry."""
    logits = cross([(query.text, passages[document]) for query, documents, _ in entries for document in documents])
    ends = np.cumsum([len(documents) for _, documents, _ in entries])
    for (*_, scores), values in zip(entries, np.split(logits, ends[:-1])):
        scores["cross"] = values


def build(collection, embeddings, query_embeddings, seed, cross=None, weights=None):
    """Yields an entry per query: its text, candidates and targets.

    `embeddings` and `query_embeddings` have a matrix per bi-encoder, in the order of the passages and queries. `cross`, if
    it is given, returns the logits of pairs, as a further teacher.
    """
    rng = random.Random(f"{seed}-{collection.name}")
    ids = list(collection.passages)
    position = {document: row for row, document in enumerate(ids)}
    index = Index(collection.passages.values())
    names = list(embeddings)
    tables = {name: embeddings[name].astype(np.float32) for name in names}
    entries = []
    for number, query in enumerate(collection.queries):
        scores = {name: tables[name] @ query_embeddings[name][number].astype(np.float32) for name in names}
        dense = sum(scores[name] for name in names)
        rows = candidates(query, ids, position, dense, index, rng)
        scores = {name: scores[name][rows] for name in names}
        scores["bm25"] = index.scores(query.text)[rows]
        entries.append((query, [ids[row] for row in rows], scores))
    if cross is not None:
        add_cross_scores(entries, collection.passages, cross)
    scales = {name: Standardizer([scores[name] for *_, scores in entries]) for name in entries[0][2]}
    for query, documents, scores in entries:
        standardized = {name: scales[name](values) for name, values in scores.items()}
        splade = query.runs.get("SPLADE_P_P_ENSEMBLE_DISTIL")
        if splade:
            standardized["splade"] = splade_scores(splade, documents)
        is_answer = np.array([document in query.answers for document in documents], np.float32)
        is_negative = np.array([document in query.negatives for document in documents])
        targets = combine(standardized, is_answer, is_negative, weights)
        order = np.argsort(-targets)
        entry = {
            "collection": collection.name,
            "query": query.text,
            "development": query.development,
            "documents": [documents[at] for at in order],
            "targets": [round(float(targets[at]), 3) for at in order],
        }
        if query.negatives:
            entry["answers"] = np.flatnonzero(is_answer[order]).tolist()
            entry["negatives"] = np.flatnonzero(is_negative[order]).tolist()
        yield entry


def write(path, entries):
    """Writes entries as JSON lines, whole or not at all."""
    path = Path(path)
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w") as file:
        for entry in entries:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    temporary.rename(path)


def read(path):
    """Reads the entries of a file."""
    with open(path) as file:
        return [json.loads(line) for line in file]


def sample(entry, rng):
    """Samples a list: indices of the entry's documents, some from each stratum or of each label."""
    count = len(entry["documents"])
    chosen = []
    if "negatives" in entry:
        chosen += rng.sample(entry["answers"], 1)
        chosen += rng.sample(entry["negatives"], min(NEGATIVES, len(entry["negatives"])))
    else:
        for first, end, size in STRATA:
            stratum = range(min(first, count), count if end is None else min(end, count))
            chosen += rng.sample(stratum, min(size, len(stratum)))
    rest = [at for at in range(count) if at not in chosen]
    return chosen + rng.sample(rest, LIST_SIZE - len(chosen))
