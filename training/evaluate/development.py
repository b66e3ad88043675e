"""Measures a model on the development queries: cheap enough to run while training.

TREC DL22 has no judgments. SPLADE++'s ranks stand for them here: gain 3 for its best 5 passages, 2 for the next 15, 1 for
the next 30, over BM25's top 100. The other collections have labels; their candidates are BM25's best 30. The hard questions
are those of the written collection whose topic has much in common with them, and the answer little.
"""

import math
import random
from collections import Counter

import torch
from tokenizers import Tokenizer

from data.bm25 import Index
from train.batches import PairEncoder, score

SPLADE_GAINS = ((5, 3), (20, 2), (50, 1))
BM25_CANDIDATES = 30
# Candidates of a hard question beside the passages of its topic.
BESIDE_TOPIC = 8
# Queries per collection.
QUERIES = 40


def ndcg(gains, judged, depth=10):
    """nDCG with linear gain, as trec_eval computes it."""
    ideal = sorted(judged, reverse=True)[:depth]
    best = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(ideal))
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains[:depth])) / best if best else 0.0


def splade_gain(rank):
    """The gain that stands for a judgment of a passage with this rank, from 0."""
    return next((gain for end, gain in SPLADE_GAINS if rank < end), 0)


def development_sets(collections):
    """Returns `{collection: [(query, texts, gains, judged)]}`."""
    sets = {}
    for collection in collections:
        queries = [query for query in collection.queries if query.development and (query.answers or query.runs)]
        if len(queries) > QUERIES:
            queries = random.Random(0).sample(queries, QUERIES)
        ids = list(collection.passages)
        index = Index(collection.passages.values())
        entries = []
        for query in queries:
            if query.runs:
                chosen = query.runs["BM25"]
                ranked = {name: rank for rank, name in enumerate(query.runs["SPLADE_P_P_ENSEMBLE_DISTIL"])}
                gains = [splade_gain(ranked[name]) if name in ranked else 0 for name in chosen]
                judged = [splade_gain(rank) for rank in ranked.values()]
            else:
                chosen = [ids[at] for at in index.top(query.text, BM25_CANDIDATES)]
                gains = [int(name in query.answers) for name in chosen]
                judged = [1] * len(query.answers)
            if any(gains):
                entries.append((query.text, [collection.passages[name] for name in chosen], gains, judged))
        sets[collection.name] = entries
    return sets


def hard_questions(collection):
    """Returns the first question of each passage in the development topics, as `development_sets` does its queries.

    The first question of a written passage is a full one that shares few words with the answer. Its candidates are the passages
    of its topic and BM25's best of all topics.
    """
    ids = list(collection.passages)
    position = {name: row for row, name in enumerate(ids)}
    index = Index(collection.passages.values())
    entries, seen = [], set()
    for query in collection.queries:
        (answer,) = query.answers
        if query.development and answer not in seen:
            seen.add(answer)
            rows = {*index.top(query.text, BESIDE_TOPIC).tolist(), *(position[name] for name in (answer, *query.negatives))}
            scores = index.scores(query.text)
            chosen = [ids[row] for row in sorted(rows, key=lambda row: -scores[row])]
            gains = [int(name == answer) for name in chosen]
            entries.append((query.text, [collection.passages[name] for name in chosen], gains, [1]))
    return entries


def run_and_judgments(entries):
    """Returns the queries of a collection as a run and judgments for `ranklet eval`."""
    run, judgments = [], []
    for number, (query, texts, gains, judged) in enumerate(entries, 1):
        hits = [{"qid": str(number), "docid": str(at), "rank": at, "score": -at, "content": text} for at, text in enumerate(texts, 1)]
        run.append({"query": query, "hits": hits})
        judgments += [f"{number} 0 {at} {gain}" for at, gain in enumerate(gains, 1)]
        # Those that are not among the candidates count for the best nDCG that an order could have.
        missing = sorted((Counter(judged) - Counter(gains)).elements())
        judgments += [f"{number} 0 missing-{at} {gain}" for at, gain in enumerate(missing, 1)]
    return run, "\n".join(judgments) + "\n"


def mean_ndcg(entries, score_pairs):
    """The mean nDCG@10 of the order that `score_pairs` gives."""
    values = []
    for query, texts, gains, judged in entries:
        scores = score_pairs([(query, text) for text in texts])
        order = sorted(range(len(texts)), key=lambda at: -scores[at])
        values.append(ndcg([gains[at] for at in order], judged))
    return sum(values) / len(values)


def pair_scorer(model, tokenizer_path, max_length=256, batch=32):
    """Returns a function that computes the logits of `(query, text)` pairs with a cross-encoder."""
    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encoder = PairEncoder(tokenizer, max_length)

    def score_pairs(pairs):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return score(model, [encoder.pair(*pair) for pair in pairs], batch).tolist()

    return score_pairs


def labeled_pairs(sets):
    """Returns queries, texts and labels of the pairs in the collections with labels."""
    return [
        (query, text, gain)
        for name, entries in sets.items()
        if name != "dl22"
        for query, texts, gains, _ in entries
        for text, gain in zip(texts, gains)
    ]


def measure(model, tokenizer_path, sets):
    """Returns the mean nDCG@10 of a cross-encoder per collection, and their mean."""
    score_pairs = pair_scorer(model, tokenizer_path)
    values = {name: round(mean_ndcg(entries, score_pairs), 4) for name, entries in sets.items()}
    return {**values, "mean": round(sum(values.values()) / len(values), 4)}
