"""BM25 over passages that fit in memory (Robertson and Zaragoza, 2009, https://doi.org/10.1561/1500000019)."""

import re

import numpy as np
from scipy.sparse import csr_matrix

# Anserini's defaults for passages.
K1, B = 0.9, 0.4
WORD = re.compile(r"[^\W_]+")
STOP_WORDS = frozenset(
    "a an and are as at be but by for from had has have he her his how if in into is it its no not of on or s she so such t "
    "than that the their then there these they this to was we were what when where which who why will with you your do does".split()
)


def words(text):
    """Returns the words of a text, lowercase, without stop words and a plural's s."""
    found = (word for word in WORD.findall(text.lower()) if word not in STOP_WORDS)
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found]


class Index:
    """Weights of all words in all passages."""

    def __init__(self, texts):
        self.vocabulary = {}
        rows, columns = [], []
        for row, text in enumerate(texts):
            for word in words(text):
                columns.append(self.vocabulary.setdefault(word, len(self.vocabulary)))
                rows.append(row)
        shape = (len(texts), max(1, len(self.vocabulary)))
        counts = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
        counts.sum_duplicates()
        lengths = np.asarray(counts.sum(axis=1)).ravel()
        frequency = np.bincount(counts.indices, minlength=shape[1])
        idf = np.log1p((len(texts) - frequency + 0.5) / (frequency + 0.5))
        norms = K1 * (1 - B + B * lengths / max(1.0, lengths.mean()))
        row_of = np.repeat(np.arange(shape[0]), np.diff(counts.indptr))
        values = counts.data * (K1 + 1) / (counts.data + norms[row_of])
        self.weights = csr_matrix((values * idf[counts.indices], counts.indices, counts.indptr), shape=shape).tocsc()

    def scores(self, query):
        """Returns the score of every passage."""
        columns = [self.vocabulary[word] for word in words(query) if word in self.vocabulary]
        if not columns:
            return np.zeros(self.weights.shape[0], np.float32)
        return np.asarray(self.weights[:, columns].sum(axis=1)).ravel().astype(np.float32)

    def top(self, query, count):
        """Returns the indices of the best passages, best first."""
        scores = self.scores(query)
        count = min(count, len(scores))
        best = np.argpartition(-scores, count - 1)[:count]
        return best[np.argsort(-scores[best], kind="stable")]
