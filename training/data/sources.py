"""Reads the public collections: passages, queries and labels.

`root` is the folder that the user gives, with one folder per collection (see README.md). What is held out is decided
here, and in written.py and held_out.py for the written questions: nothing below reads TREC DL21 or Cranfield.
"""

import csv
import io
import json
import re
import zipfile
from dataclasses import dataclass, field

DL22_RUNS = ("BM25", "BM25_RM3", "SPLADE_P_P_ENSEMBLE_DISTIL")
# Every n-th query of a collection chooses settings and is never trained on.
DEVELOPMENT = {"dl22": 4, "xquad": 10, "wikiqa": 5, "scifact": 8}
# Of SciFact's abstracts without evidence, every n-th is a candidate: they are long.
SCIFACT_STEP = 8


@dataclass
class Collection:
    """Passages by id, and queries over them."""

    name: str
    passages: dict[str, str] = field(default_factory=dict)
    queries: list["Query"] = field(default_factory=list)


@dataclass
class Query:
    """A query with the ids of passages that are labeled as answers or as none, and of first stages by name, best first."""

    text: str
    answers: list[str] = field(default_factory=list)
    negatives: list[str] = field(default_factory=list)
    runs: dict[str, list[str]] = field(default_factory=dict)
    development: bool = False


def split(collection):
    """Marks the queries of the development split."""
    for index, query in enumerate(collection.queries):
        query.development = index % DEVELOPMENT[collection.name] == 0
    return collection


def dl22(root):
    """TREC DL22: the top 100 of three first stages, without judgments."""
    collection = Collection("dl22")
    queries = {}
    for run in DL22_RUNS:
        for entry in json.loads((root / f"trec-dl22/{run}_dl22.json").read_text()):
            query = queries.setdefault(entry["query"], Query(entry["query"]))
            query.runs[run] = [hit["docid"] for hit in entry["hits"]]
            collection.passages.update((hit["docid"], hit["content"]) for hit in entry["hits"])
    collection.queries = list(queries.values())
    return split(collection)


def xquad(root):
    """The English part of XQuAD: questions on Wikipedia's paragraphs."""
    collection = Collection("xquad")
    for article in json.loads((root / "xquad/xquad.en.json").read_text())["data"]:
        for paragraph in article["paragraphs"]:
            name = f"xquad-{len(collection.passages)}"
            collection.passages[name] = paragraph["context"]
            collection.queries += [Query(qa["question"], [name]) for qa in paragraph["qas"]]
    return split(collection)


def wikiqa_questions(path, passages):
    """Reads the questions of a file of WikiQA, and adds the sentences of their articles to `passages`."""
    queries = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            name = f"wikiqa-{row['SentenceID']}"
            passages[name] = row["Sentence"]
            query = queries.setdefault(row["QuestionID"], Query(row["Question"]))
            if row["Label"].strip() == "1":
                query.answers.append(name)
    return list(queries.values())


def wikiqa(root):
    """WikiQA's test set: questions on the sentences of an article."""
    collection = Collection("wikiqa")
    collection.queries = wikiqa_questions(root / "wikiqa/WikiQA-test-gold.tsv", collection.passages)
    return split(collection)


def wikiqa_dev(root):
    """WikiQA's development set. The report has it too: see README.md."""
    collection = Collection("wikiqa-dev")
    collection.queries = wikiqa_questions(root / "wikiqa/WikiQA-dev.tsv", collection.passages)
    return collection


def scifact(root):
    """SciFact: claims with the abstracts that support or refute them, and some of the other abstracts."""
    collection = Collection("scifact")
    archive = zipfile.ZipFile(root / "scifact-hf/scifact.zip")

    def rows(name):
        return csv.DictReader(io.StringIO(archive.read(name).decode()))

    claims = {}
    for name in ("claims_train.csv", "claims_validation.csv"):
        for row in rows(name):
            if row["evidence_doc_id"]:
                answers = claims.setdefault(row["claim"], Query(row["claim"])).answers
                answers += {f"scifact-{row['evidence_doc_id']}"} - set(answers)
    evidence = {answer for query in claims.values() for answer in query.answers}
    for at, row in enumerate(rows("corpus_train.csv")):
        name = f"scifact-{row['doc_id']}"
        if name in evidence or at % SCIFACT_STEP == 0:
            # The abstract is the text of a list of strings: 'One.'\n 'Two.'
            sentences = re.sub(r"['\"]\s*\n\s*['\"]", " ", row["abstract"].strip("[]"))
            text = f"{row['title']} {sentences}".replace("\\n", " ")
            collection.passages[name] = re.sub(r"\s+", " ", text)[:1200]
    for query in claims.values():
        query.answers = [answer for answer in query.answers if answer in collection.passages]
    collection.queries = list(claims.values())
    return split(collection)


def read_all(root):
    """Reads every collection that is used in training, but for those that models leave out."""
    return [dl22(root), xquad(root), wikiqa(root), scifact(root)]
