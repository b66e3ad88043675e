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
from recipes import RECIPES
from teachers.targets import NEGATIVE_MARGIN, SPREAD, combine


def topic(passages):
    """Returns a line of a file: passages of a text and its queries."""
    return json.dumps({"topic": "tea", "passages": [{"text": text, "queries": list(asked)} for text, *asked in passages]})


def test_the_passages_of_a_topic_are_each_others_negatives(tmp_path):
    count = written.DEVELOPMENT + 1
    lines = [topic([(f"text {n}a", f"query {n}a"), (f"text {n}b", f"query {n}b")]) for n in range(count)]
    (tmp_path / "drinks.jsonl").write_text("\n".join(lines))
    (tmp_path / f"{written.REPORTED}.jsonl").write_text(topic([("text", "query")]))
    read = written.collection(tmp_path)
    assert list(read.passages)[:3] == ["written-drinks-0-0", "written-drinks-0-1", "written-drinks-1-0"]
    assert len(read.passages) == 2 * count
    query = read.queries[2]
    assert (query.text, query.answers, query.negatives) == ("query 1a", ["written-drinks-1-0"], ["written-drinks-1-1"])
    assert [at // 2 for at, query in enumerate(read.queries) if query.development] == [0, 0, count - 1, count - 1]


def test_the_files_have_topics_of_passages_with_three_queries_each():
    for path in written.FOLDER.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            passages = json.loads(line)["passages"]
            assert 3 <= len(passages) <= 8, line[:80]
            assert len({passage["text"] for passage in passages}) == len(passages), line[:80]
            queries = [query for passage in passages for query in passage["queries"]]
            assert len(set(queries)) == len(queries) == 3 * len(passages), line[:80]


def test_an_answer_has_a_margin_over_labeled_negatives_only():
    scores = {"minilm": np.array([-3.0, 2.0, 6.0])}
    answer, negative = np.array([1.0, 0, 0]), np.array([False, True, False])
    targets = combine(scores, answer, negative)
    assert np.isclose(targets[0] - targets[1], SPREAD * NEGATIVE_MARGIN) and targets[2] > targets[0]
    plain = combine(scores, answer, np.zeros(3, bool))
    assert targets[1:].tolist() == plain[1:].tolist()
    above = {"minilm": np.array([5.0, -2.0, 0.0])}
    assert combine(above, answer, negative).tolist() == combine(above, answer, np.zeros(3, bool)).tolist()


def test_a_list_of_labeled_negatives_has_the_answer_and_four_of_them():
    passages = {f"p{at}": f"word{at} tea" for at in range(80)}
    query = Query("word3 word9", ["p0"], [f"p{at}" for at in range(1, 8)])
    table = np.random.default_rng(1).normal(size=(80, 4)).astype(np.float16)
    (entry,) = lists.build(Collection("written", passages, [query]), {"minilm": table}, {"minilm": table[:1]}, 1)
    assert len(entry["documents"]) <= 8 + 2 * lists.BESIDE_NEGATIVES + lists.FROM_RANDOM
    for seed in range(20):
        chosen = [entry["documents"][at] for at in lists.sample(entry, random.Random(seed))]
        assert len(set(chosen)) == lists.LIST_SIZE and "p0" in chosen
        assert sum(name in query.negatives for name in chosen) >= lists.NEGATIVES


def test_passages_near_held_out_texts_are_left_out_with_their_queries():
    queries = [Query("v", ["a"], ["b", "c", "d"]), Query("w", ["b"], ["a", "c", "d"]), Query("x", ["c"], ["a", "b", "d"])]
    queries += [Query("y", ["d"], ["a", "b", "c"])]
    pool = Collection("written", {name: name.upper() for name in "abcd"}, queries)
    held = np.array([[1.0, 0.0]])
    close, far = held_out.NEAR + 0.01, held_out.NEAR - 0.01
    passages = np.array([[far, 0], [close, 0], [far, 0], [far, 0]])
    asked = np.array([[far, 0], [far, 0], [close, 0], [far, 0]])
    kept = held_out.without_near(pool, passages, asked, held)
    assert kept.passages == {"a": "A", "d": "D"}
    assert [(query.text, query.negatives) for query in kept.queries] == [("v", ["d"]), ("y", ["a"])]


def test_the_page_and_the_examples_are_held_out():
    texts = held_out.own_texts()
    assert len(texts) == len(set(texts))
    for text in ("What is the hottest planet?", "How do I reset my password?", "Berlin is the capital of Germany."):
        assert text in texts


def test_the_reported_stories_have_their_topic_and_labels():
    run, judgments = reported.stories(None)
    collection = written.reported()
    assert len(run) == len(collection.queries) > 500
    labels = {}
    for line in judgments.splitlines():
        query, _, document, gain = line.split()
        labels.setdefault(query, {})[document] = int(gain)
    for entry, query in zip(run, collection.queries):
        found = {hit["docid"] for hit in entry["hits"]}
        of_query = labels[entry["hits"][0]["qid"]]
        assert [name for name, gain in of_query.items() if gain] == query.answers
        assert set(of_query) == {*query.answers, *query.negatives} <= found
    assert not any(name.startswith("written-stories") for name in written.collection().passages)


def test_only_the_refined_models_learn_from_written_questions():
    for name, recipe in RECIPES.items():
        settings = [*recipe.stages, *([recipe.distillation] if recipe.distillation else [])]
        assert all((stage.repeat.get("written", 1) > 0) == name.endswith("-refined") for stage in settings), name
