"""Tests of the questions that are made from sentences, and of the lists of short documents."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from data import lists, sentences
from data.sources import Collection, Query
from data.statements import questions
from recipes import RECIPES
from teachers import cross


@pytest.mark.parametrize(
    "sentence, expected",
    [
        (
            "You can return most goods within 30 days.",
            {f"{form} return most goods" for form in ("how can i", "how do i", "can i", "how to")},
        ),
        ("The old bridge was built in 1885 by the town.", {"when was the old bridge built", "in what year was the old bridge built"}),
        ("Ada Lovelace wrote the first program, which was long.", {"who wrote first program", "who wrote the first program"}),
        ("To reset your password, open the settings.", {"how do i reset my password", "how to reset my password"}),
        ("The guitar has six strings and a neck.", {"how many strings does the guitar have", "how many strings are in the guitar"}),
    ],
)
def test_a_statement_answers_the_question_that_is_made_of_it(sentence, expected):
    made = {question.rstrip("?") for seed in range(40) for question in questions(sentence, random.Random(seed))}
    assert expected <= made


@pytest.mark.parametrize("sentence", ["It is a bird.", "This was built in 1885.", "You can do it by hand.", "Rain."])
def test_a_sentence_that_stands_for_another_makes_no_question(sentence):
    assert questions(sentence, random.Random(1)) == []


def test_the_sentence_is_the_answer_to_its_question():
    text = "You can return most goods within 30 days. The shop in the old town is open on all days of the week. Is it?"
    made = sentences.collection(Collection("dl22", {"a": text}), 1)
    assert list(made.passages.values()) == sentences.sentences(text)
    (query,) = [query for query in made.queries if query.answers]
    assert "return most goods" in query.text
    assert made.passages[query.answers[0]].startswith("You can return")


def test_a_cross_encoder_is_one_more_teacher():
    class Pool:
        name = "pool"
        passages = {f"p{at}": f"text {at}" for at in range(40)}
        queries = [Query("one"), Query("two")]

    table = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float16)
    asked = []

    def score(pairs):
        asked.extend(pairs)
        return np.array([float(text.split()[1]) * 100 for _, text in pairs], np.float32)

    plain = list(lists.build(Pool, {"minilm": table}, {"minilm": table[:2]}, 1))
    first, second = lists.build(Pool, {"minilm": table}, {"minilm": table[:2]}, 1, score)
    assert len(asked) == len(first["documents"]) + len(second["documents"])
    assert {query for query, _ in asked} == {"one", "two"}
    before = dict(zip(plain[0]["documents"], plain[0]["targets"]))
    gain = {int(name[1:]): target - before[name] for name, target in zip(first["documents"], first["targets"])}
    assert gain[max(gain)] > gain[min(gain)], "the cross-encoder prefers the last texts"


def test_logits_are_computed_once(tmp_path):
    program = tmp_path / "ranklet"
    program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\nwhile read -r line; do echo 1.5; done\n")
    program.chmod(0o755)
    for _ in range(2):
        assert cross.logits(program, tmp_path, tmp_path, [("a", "b"), ("c", "d")]).tolist() == [1.5, 1.5]
    assert (tmp_path / "runs").read_text() == "run\n"


def test_the_small_model_never_sees_the_development_set_that_its_report_has():
    recipe = RECIPES["small"]
    for settings in (*recipe.stages, recipe.distillation):
        assert settings.repeat["wikiqa-dev"] == 0
