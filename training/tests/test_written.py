"""Tests of the questions that were written for this project."""

import json
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from data import held_out, lists, written
from data.sources import Collection, Query
from evaluate import reported
from teachers.targets import NEGATIVE_MARGIN, SPREAD, combine


def topic(passages):
    """Returns a line of a file: passages of a text and its queries."""
    return json.dumps({"topic": "tea", "passages": [{"text": text, "queries": list(asked)} for text, *asked in passages]})


def test_the_passages_of_a_topic_are_each_others_negatives(tmp_path):
    (tmp_path / "drinks.jsonl").write_text("\n".join(topic([(f"text {n}a", f"query {n}a"), (f"text {n}b", f"query {n}b")]) for n in range(2)))
    (tmp_path / f"{written.REPORTED}.jsonl").write_text(topic([("text", "query")]))
    read = written.collection(tmp_path)
    assert list(read.passages) == ["written-drinks-0-0", "written-drinks-0-1", "written-drinks-1-0", "written-drinks-1-1"]
    query = read.queries[2]
    assert (query.text, query.answers, query.negatives) == ("query 1a", ["written-drinks-1-0"], ["written-drinks-1-1"])
    assert [query.development for query in read.queries] == [True, True, False, False]


def test_an_answer_has_a_margin_over_labeled_negatives_only():
    scores = {"minilm": np.array([-3.0, 2.0, 4.0])}
    answer, negative = np.array([1.0, 0, 0]), np.array([False, True, False])
    targets = combine(scores, answer, negative)
    assert np.isclose(targets[0] - targets[1], SPREAD * NEGATIVE_MARGIN) and targets[2] > targets[0]


def test_a_list_of_labeled_negatives_has_the_answer_and_four_of_them():
    passages = {f"p{at}": f"word{at} tea" for at in range(40)}
    query = Query("word3 word9", ["p0"], [f"p{at}" for at in range(1, 8)])
    table = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float16)
    (entry,) = lists.build(Collection("written", passages, [query]), {"minilm": table}, {"minilm": table[:1]}, 1)
    for seed in range(20):
        chosen = [entry["documents"][at] for at in lists.sample(entry, random.Random(seed))]
        assert len(set(chosen)) == lists.LIST_SIZE and "p0" in chosen
        assert sum(name in query.negatives for name in chosen) >= lists.NEGATIVES


def test_passages_near_held_out_texts_are_removed_with_their_queries():
    queries = [Query("x", ["a"], ["b", "c"]), Query("y", ["b"], ["a", "c"]), Query("z", ["c"], ["a", "b"])]
    pool = Collection("written", {"a": "A", "b": "B", "c": "C"}, queries)
    passages = np.eye(4)[:3]
    asked = np.eye(4)[[0, 3, 2]]
    held = np.eye(4)[[2, 3]]
    assert held_out.drop_near(pool, passages, asked, held) == ["b", "c"]
    assert list(pool.passages) == ["a"] and [(query.text, query.negatives) for query in pool.queries] == [("x", [])]
    assert len(held_out.texts()) > 190


def test_the_reported_stories_have_their_topic_and_one_answer():
    run, judgments = reported.stories(None)
    assert len(run) == len(judgments.splitlines()) == 1152
    assert all(20 <= len(entry["hits"]) <= 28 for entry in run)
    assert judgments.startswith("1 0 written-stories-0-0 1\n")
    assert "written-stories-0-0" in {hit["docid"] for hit in run[0]["hits"]}
    assert not any(name.startswith("written-stories") for name in written.collection().passages)
