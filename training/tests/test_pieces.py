"""Tests of the pieces that need no data: `python -m pytest training/tests`."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from data import lists, queries
from data.bm25 import Index
from data.sources import Query
from evaluate import calibration
from evaluate.development import ndcg
from model import bert, rounding, vocabulary
from model.student import mean, student
from models import CONFIG, model
from teachers.targets import combine, splade_scores
from train import losses
from train.batches import order_of_epoch, pad
from train.loop import Settings, learning_rate_factor, repeated


def pairs(count=3):
    generator = torch.Generator().manual_seed(2)
    return [(torch.randint(5, 40, (6 + 3 * at,), generator=generator), 4) for at in range(count)]


def test_the_model_computes_the_logits_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    own = model()
    bert.save(own, tmp_path, torch.float32)
    config = transformers.BertConfig(**CONFIG, num_labels=1)
    other = transformers.BertForSequenceClassification.from_pretrained(tmp_path, config=config).eval()
    ids, types, lengths = pad(pairs())
    mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    with torch.inference_mode():
        expected = other(input_ids=ids, token_type_ids=types, attention_mask=mask).logits[:, 0]
        assert torch.allclose(own(ids, types, lengths), expected, atol=1e-5)


def test_a_saved_model_loads_with_the_same_weights(tmp_path):
    own = model()
    bert.save(own, tmp_path, torch.float32)
    loaded = bert.load(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(own.state_dict().values(), loaded.state_dict().values()))


def test_a_student_has_the_layers_and_embeddings_it_was_given():
    teacher = model()
    small = student(teacher, (0, 3), [0, 7, 9])
    assert len(small.layers) == 2 and small.layers[0].first_only is False and small.layers[1].first_only is True
    assert torch.equal(small.layers[1].up.weight, teacher.layers[3].up.weight)
    assert torch.equal(small.words.weight, teacher.words.weight[[0, 7, 9]])


def test_rounded_weights_are_on_their_grids_and_pass_gradients():
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    for name, steps in (("q8", 128), ("q4", 16)):
        rounded = rounding.ROUNDINGS[name](weight)
        assert max(len(row.unique()) for row in rounded.detach()[:, :32]) <= steps
        step = weight.abs().amax(-1, keepdim=True) / (63.5 if name == "q8" else 8)
        assert ((rounded - weight).abs() <= 1.01 * step).all()
    assert torch.allclose(rounding.q4(rounded), rounded, atol=1e-6), "rounding twice changes nothing"
    rounding.straight_through(rounding.q4, weight).sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_q4_keeps_the_value_farthest_from_zero_on_either_side():
    block = torch.full((1, 32), 0.1)
    for farthest in (0.8, -0.8):
        block[0, 3] = farthest
        assert rounding.q4(block)[0, 3].item() == pytest.approx(farthest, rel=1e-3)


def test_a_cut_vocabulary_spells_any_english_word():
    tokenizers = pytest.importorskip("tokenizers")
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = [*vocabulary.SPECIAL, *letters, *("##" + letter for letter in letters), "bees", "hive", "[unused1]", "honey"]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(vocabulary.SPECIAL))
    text = tokenizer.to_str()
    ids = vocabulary.chosen_pieces(text, ["honey honey bees"], len(pieces) - 2)
    cut = tokenizers.Tokenizer.from_str(vocabulary.cut_tokenizer(text, ids))
    assert cut.token_to_id("[PAD]") == 0 and cut.token_to_id("[unused1]") is None and cut.token_to_id("hive") is None
    assert cut.encode("honey hive").tokens == ["honey", "h", "##i", "##v", "##e"]


def test_bm25_prefers_rare_words_and_short_texts():
    index = Index(["the bees make honey", "the bees and the bees and other bees in a long text on hives", "a hive"])
    assert index.top("honey of bees", 3)[0] == 0
    assert index.top("hives", 1)[0] == 2
    assert index.scores("unknown").tolist() == [0, 0, 0]


def test_queries_come_from_questions_and_definitions_of_a_passage():
    assert queries.own_questions("Tea is old. How long does green tea keep? Ask us.") == ["how long does green tea keep"]
    assert queries.definitions("Dew is water that condenses. It is cold.") == ["what is dew"]
    made = queries.from_passages(["Dew is water."] * 3, 5, random.Random(1))
    assert made == ["what is dew"], "queries are distinct"


def test_candidates_have_falling_targets_and_answers_rise():
    class Pool:
        name = "pool"
        passages = {f"p{at}": text for at, text in enumerate(["bees make honey", "cars make noise", "honey cake", "the sea"] * 8)}
        queries = [Query("honey bees", answers=["p3"])]

    table = np.random.default_rng(1).normal(size=(32, 4)).astype(np.float16)
    (entry,) = lists.build(Pool, {"minilm": table}, {"minilm": table[:1]}, 1)
    assert entry["targets"] == sorted(entry["targets"], reverse=True)
    assert "p3" in entry["documents"]
    chosen = lists.sample(entry, random.Random(1))
    assert len(set(chosen)) == lists.LIST_SIZE and sum(at < 4 for at in chosen) >= 2


def test_targets_follow_the_teachers_and_the_answers():
    scores = {"minilm": np.array([1.0, 0.0, -1.0]), "bm25": np.array([0.0, 0.0, 0.0])}
    none = np.zeros(3, bool)
    plain = combine(scores, np.zeros(3), none)
    assert plain[0] > plain[1] > plain[2]
    assert combine(scores, np.array([0, 0, 1.0]), none)[2] > plain[2]
    assert splade_scores(["b", "a"], ["a", "b", "c"]).argsort().tolist() == [2, 0, 1]


def test_losses_are_zero_for_equal_scores_and_ignore_an_offset_where_they_should():
    logits = torch.tensor([[1.0, 2.0, 4.0]])
    assert losses.listwise(logits, logits, 2.0).item() == pytest.approx(0, abs=1e-6)
    assert losses.margins(logits + 3, logits).item() == pytest.approx(0, abs=1e-6)
    assert losses.level(logits + 3, logits).item() == pytest.approx(9)
    # The margins (1, 3, 2) against zeros, over all ordered pairs with themselves: 2 * (1 + 9 + 4) / 9.
    assert losses.margins(logits, torch.zeros(1, 3)).item() == pytest.approx(28 / 9)


def test_the_order_of_lists_and_the_learning_rate_depend_on_the_step_alone():
    assert order_of_epoch(9, 2, 5) == order_of_epoch(9, 2, 5) != order_of_epoch(9, 3, 5)
    settings = Settings(steps=100, warmup=10, cooldown=20)
    factors = [learning_rate_factor(step, settings) for step in range(100)]
    assert factors[0] < factors[9] == factors[79] == 1.0 and factors[80] == 1.0 and factors[99] == pytest.approx(0.05)


def test_an_epoch_repeats_collections_or_takes_a_share_of_them():
    entries = [{"collection": name, "query": at} for at in range(8) for name in ("few", "many", "other")]
    chosen = [(entry["collection"], entry["query"]) for entry in repeated(entries, {"few": 2, "many": 0.25})]
    assert [at for name, at in chosen if name == "few"] == [at for at in range(8) for _ in range(2)]
    assert len([name for name, _ in chosen if name == "many"]) == 2
    assert len([name for name, _ in chosen if name == "other"]) == 8


def test_ndcg_has_linear_gain():
    assert ndcg([0, 3, 1], [1, 2, 3, 0]) == pytest.approx((3 / np.log2(3) + 0.5) / (3 + 2 / np.log2(3) + 0.5))


def test_a_fitted_calibration_finds_the_scale_and_offset_of_the_labels():
    generator = np.random.default_rng(4)
    logits = generator.normal(0, 2, 20_000)
    labels = generator.random(20_000) < calibration.sigmoid(0.5 * logits - 1)
    scale, offset = calibration.fit(logits, labels)
    assert scale == pytest.approx(0.5, abs=0.03) and offset == pytest.approx(-1, abs=0.05)
    before = calibration.expected_error(calibration.sigmoid(logits), labels)
    assert calibration.expected_error(calibration.sigmoid(scale * logits + offset), labels) < 0.02 < 0.1 < before
    scale, offset = calibration.fit(logits, calibration.sigmoid(0.25 * logits + 1))
    assert scale == pytest.approx(0.25, abs=0.001) and offset == pytest.approx(1, abs=0.001), "labels may be probabilities"
    assert calibration.expected_error([0.9, 0.9, 0.1], [1, 0, 0]) == pytest.approx((0.8 + 0.1) / 3)


def test_the_mean_of_weights_is_between_them():
    first, second = model(), model()
    with torch.no_grad():
        for value in second.parameters():
            value.add_(1.0)
    before = {name: value.clone() for name, value in first.state_dict().items()}
    after = mean(first, second, 0.25).state_dict()
    other = second.state_dict()
    for name, value in after.items():
        torch.testing.assert_close(value, before[name] + 0.25 * (other[name] - before[name]))
