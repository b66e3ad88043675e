"""Questions and passages in training/questions, which a language model wrote for this project.

A line of a file is a topic: up to eight passages about different facts in similar words, with three queries each that this
passage answers and no other of the topic does. Many queries share more words with another passage than with their answer.
"""

import json
from pathlib import Path

from data.sources import Collection, Query

FOLDER = Path(__file__).parents[1] / "questions"
# What the ids of all written passages start with.
PREFIX = "written-"
# The file that only the report reads. Its passages are far from those of the first topics, and held_out.py leaves later ones that
# are near out of training.
REPORTED = "stories"
# The queries of every n-th topic of a file choose settings and are never trained on.
DEVELOPMENT = 12


def read(paths, name="written"):
    """Returns the collection of some files. A query's negatives are the other passages of its topic."""
    written = Collection(name)
    for path in paths:
        for number, line in enumerate(path.read_text().splitlines()):
            passages = json.loads(line)["passages"]
            ids = [f"{PREFIX}{path.stem}-{number}-{at}" for at in range(len(passages))]
            for answer, passage in zip(ids, passages):
                written.passages[answer] = passage["text"]
                negatives = [other for other in ids if other != answer]
                development = number % DEVELOPMENT == 0
                written.queries += [Query(query, [answer], negatives, development=development) for query in passage["queries"]]
    return written


def collection(folder=FOLDER):
    """Returns the collection "written", without what the report has."""
    return read(path for path in sorted(folder.glob("*.jsonl")) if path.stem != REPORTED)


def reported():
    """Returns the collection of the report."""
    return read([FOLDER / f"{REPORTED}.jsonl"], REPORTED)
