"""Writes the collections of the report as runs and judgments for `ranklet eval`.

They are those of tests/score/quality.rs: TREC DL21 over BM25's top 100, the first 60 answered questions of WikiQA's
development set over the sentences of their article, and the first 30 queries of Cranfield over their relevant abstracts
and every hundredth of the others. A further one is the stories of training/questions: each query over the passages of its
topic and BM25's best 20 of all topics. WikiQA's development set trains `default`; nothing else here is trained on or chooses
settings.
"""

import csv
import json
from pathlib import Path

from data import written
from data.bm25 import Index

WIKIQA_QUESTIONS, CRANFIELD_QUERIES, CRANFIELD_STEP, STORIES_CANDIDATES = 60, 30, 100, 20


def entry(query_id, query, documents, index):
    """Returns a run's entry for documents `[(row, id, text)]`; its first stage is BM25 in the index of all rows."""
    scores = index.scores(query)
    ranked = sorted(documents, key=lambda document: -scores[document[0]])
    hits = [
        {"qid": query_id, "docid": name, "rank": rank, "score": float(scores[row]), "content": text}
        for rank, (row, name, text) in enumerate(ranked, 1)
    ]
    return {"query": query, "hits": hits}


def dl21(root):
    """Returns TREC DL21's run of BM25 and its judgments."""
    run = json.loads((root / "trec-dl21/BM25_dl21.json").read_text())
    return run, (root / "trec-dl21/qrels.dl21-passage.txt").read_text()


def wikiqa(root):
    """Returns the questions of WikiQA's development set that have a correct sentence, and their labels."""
    with open(root / "wikiqa/WikiQA-dev.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    index = Index([row["Sentence"] for row in rows])
    questions = {}
    for at, row in enumerate(rows):
        questions.setdefault(row["QuestionID"], []).append((at, row))
    answered = [found for found in questions.values() if any(row["Label"].strip() == "1" for _, row in found)]
    run, judgments = [], []
    for found in answered[:WIKIQA_QUESTIONS]:
        name, question = found[0][1]["QuestionID"], found[0][1]["Question"]
        run.append(entry(name, question, [(at, row["SentenceID"], row["Sentence"]) for at, row in found], index))
        judgments += [f"{name} 0 {row['SentenceID']} {row['Label'].strip()}" for _, row in found]
    return run, "\n".join(judgments) + "\n"


def cranfield_records(path):
    """Returns the ids and texts (field .W) of Cranfield's records."""
    records = []
    for record in path.read_text(errors="replace").split(".I ")[1:]:
        name, _, rest = record.partition("\n")
        records.append((name.strip(), " ".join(rest.partition(".W")[2].split())))
    return records


def cranfield(root):
    """Returns Cranfield's first queries with some of its abstracts, and their judgments with the gains 0 and 1."""
    relevant = {}
    for line in (root / "cranfield/QRelsCorrectedforTRECeval").read_text().splitlines():
        query, _, document, gain = line.split()
        if int(gain) > 0:
            relevant.setdefault(query, set()).add(document)
    abstracts = cranfield_records(root / "cranfield/cran.all.1400")
    index = Index([text for _, text in abstracts])
    run, judgments = [], []
    for number, (_, text) in enumerate(cranfield_records(root / "cranfield/cran.qry")[:CRANFIELD_QUERIES], 1):
        name = str(number)
        chosen = [
            (at, document, abstract)
            for at, (document, abstract) in enumerate(abstracts)
            if abstract and (at % CRANFIELD_STEP == 0 or document in relevant[name])
        ]
        run.append(entry(name, text, chosen, index))
        judgments += [f"{name} 0 {document} {int(document in relevant[name])}" for _, document, _ in chosen]
    return run, "\n".join(judgments) + "\n"


def stories(_root):
    """Returns the queries of the written stories, which are part of the project, and the labels of their topics' passages."""
    collection = written.reported()
    passages = list(collection.passages.items())
    index = Index(collection.passages.values())
    run, judgments = [], []
    for number, query in enumerate(collection.queries, 1):
        names = {*query.answers, *query.negatives, *(passages[at][0] for at in index.top(query.text, STORIES_CANDIDATES))}
        run.append(entry(str(number), query.text, [(at, *item) for at, item in enumerate(passages) if item[0] in names], index))
        judgments += [f"{number} 0 {name} {int(name in query.answers)}" for name in (*query.answers, *query.negatives)]
    return run, "\n".join(judgments) + "\n"


def queries(root):
    """Returns all queries of the public collections of the report."""
    return [found["query"] for read in (dl21, wikiqa, cranfield) for found in read(Path(root))[0]]


COLLECTIONS = {"TREC DL21": dl21, "WikiQA": wikiqa, "Cranfield": cranfield, "Stories": stories}


def read(root):
    """Returns the run and the judgments of each collection by name."""
    return {name: read_collection(Path(root)) for name, read_collection in COLLECTIONS.items()}
