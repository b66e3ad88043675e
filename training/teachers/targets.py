"""Combines teachers into one target per pair, in units of logits."""

import numpy as np

# The standard deviation of the targets of a query's candidates.
SPREAD = 2.0
# Weights of the standardized scores. `splade` applies to TREC DL22 only, `cross` to short documents.
WEIGHTS = {"minilm": 0.7, "e5": 1.0, "bm25": 0.25, "splade": 1.0, "cross": 0.7}
# The correlation of two teachers within a query, roughly.
CORRELATION = 0.5
# Added for labeled answers, in standard deviations.
ANSWER_BONUS = 1.0
# What labeled answers have at least more than the best labeled negative, in standard deviations.
NEGATIVE_MARGIN = 2.0


class Standardizer:
    """Maps a teacher's scores to a mean of 0 and a standard deviation of 1 within a query's candidates, on average."""

    def __init__(self, lists):
        self.mean = float(np.mean([scores.mean() for scores in lists]))
        self.deviation = float(np.mean([scores.std() for scores in lists])) or 1.0

    def __call__(self, scores):
        return (scores - self.mean) / self.deviation


def combine(standardized, is_answer, is_negative, weights=None):
    """Returns the targets of a query's candidates.

    `standardized` has an array of scores per teacher; teachers that did not score the query are absent.
    """
    weights = weights or WEIGHTS
    used = {name: weights[name] for name in standardized if weights[name]}
    total = sum(weight * standardized[name] for name, weight in used.items())
    # Teachers disagree, so their sum varies less than its parts. This restores a deviation of about 1.
    squares = sum(weight**2 for weight in used.values())
    variance = (1 - CORRELATION) * squares + CORRELATION * sum(used.values()) ** 2
    total = total / np.sqrt(variance) + ANSWER_BONUS * is_answer
    if is_negative.any():
        total = np.where(is_answer > 0, np.maximum(total, total[is_negative].max() + NEGATIVE_MARGIN), total)
    return SPREAD * total


def splade_scores(ranked, candidates):
    """Returns a score per candidate from its rank in SPLADE's top 100: from 1.6 down to -1.2, and -2 without a rank."""
    ranks = {document: rank for rank, document in enumerate(ranked)}
    length = max(1, len(ranked))
    position = np.array([ranks.get(document, -1) for document in candidates])
    score = 1.6 - 2.8 * np.log1p(9 * np.maximum(position, 0) / length) / np.log(10)
    return np.where(position < 0, -2.0, score).astype(np.float32)
