"""Tests of the development queries: `python -m pytest training/tests`."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from data import written
from data.sources import Collection, Query
from evaluate.development import BESIDE_TOPIC, hard_questions, ndcg, run_and_judgments


def test_hard_questions_are_the_first_of_each_passage_in_the_development_topics():
    collection = written.collection()
    development = [query for query in collection.queries if query.development]
    entries = hard_questions(collection)
    assert [entry[0] for entry in entries] == [query.text for query in development[::3]]
    for (_, texts, gains, judged), query in zip(entries[:50], development[::3]):
        assert [text for text, gain in zip(texts, gains) if gain] == [collection.passages[query.answers[0]]]
        assert {collection.passages[name] for name in query.negatives} <= set(texts)
        assert len(set(texts)) == len(texts) <= 1 + len(query.negatives) + BESIDE_TOPIC
        assert judged == [1]


def test_hard_questions_come_in_the_order_of_bm25():
    passages = {"a": "rain falls", "b": "sun and rain and rain", "c": "wind"}
    collection = Collection("written", passages, [Query("rain in the wind", ["a"], ["b", "c"], development=True)])
    ((_, texts, gains, _),) = hard_questions(collection)
    assert texts[0] == "wind" and sorted(texts) == sorted(passages.values()) and gains == [int(text == "rain falls") for text in texts]


def test_a_run_has_the_judgments_that_its_candidates_lack():
    run, judgments = run_and_judgments([("question", ["one", "two"], [0, 2], [3, 2, 2])])
    assert [(hit["docid"], hit["rank"], hit["content"]) for hit in run[0]["hits"]] == [("1", 1, "one"), ("2", 2, "two")]
    gains = {line.split()[2]: int(line.split()[3]) for line in judgments.splitlines()}
    assert Counter(gains.values()) == Counter([0, 2, 2, 3])
    found = [gains[hit["docid"]] for hit in run[0]["hits"]]
    assert ndcg(found, gains.values()) == pytest.approx(ndcg([0, 2], [3, 2, 2]))
