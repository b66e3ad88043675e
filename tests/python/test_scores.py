"""Scores of the fixtures, which sentence-transformers has computed, in every form of input."""

from __future__ import annotations

import contextlib
import json
import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conftest import ROOT, Fixture, all_fixtures, fixture
from ranklet import CrossEncoder, Identity, RankletError, Reranker, Sigmoid

TOLERANCE = 1e-4


def expected_scores(model: Fixture) -> np.ndarray:
    scores = np.array(model.expected["scores"], np.float32)
    return scores[:, 0] if model.expected["num_labels"] == 1 else scores


@pytest.mark.parametrize("model", all_fixtures(), ids=repr)
def test_fixture_has_the_scores_of_sentence_transformers_in_every_form_of_input(model: Fixture) -> None:
    encoder = CrossEncoder(str(model.folder), dtype="f32")
    expected = expected_scores(model)
    pairs = model.pairs
    logits = encoder.predict(pairs, activation_fn=Identity())
    assert np.abs(logits.reshape(len(pairs), -1) - np.array(model.expected["logits"])).max() <= TOLERANCE
    scores = encoder.predict(pairs)
    assert scores.dtype == np.float32 and scores.shape == expected.shape
    assert np.abs(scores - expected).max() <= TOLERANCE
    forms = [
        [tuple(pair) for pair in pairs],
        tuple(tuple(pair) for pair in pairs),
        np.array(pairs, dtype=object),
        [np.array(pair, dtype=object) for pair in pairs],
    ]
    for form in forms:
        assert np.array_equal(encoder.predict(form[:7]), scores[:7])
    for index, pair in enumerate(pairs[:3]):
        for single in (pair, tuple(pair), np.array(pair)):
            score = encoder.predict(single)
            assert np.shape(score) == expected.shape[1:]
            assert np.array_equal(score, scores[index])


def test_loads_the_contents_of_files_and_folders_as_paths() -> None:
    model = fixture("bert-gelu-h36")
    expected = CrossEncoder(str(model.folder)).predict(model.pairs)
    files = model.files()
    assert np.array_equal(CrossEncoder(files).predict(model.pairs), expected)
    views = {name: memoryview(content) for name, content in files.items()}
    assert np.array_equal(CrossEncoder(views).predict(model.pairs), expected)
    assert np.array_equal(CrossEncoder(model.folder).predict(model.pairs), expected)


def test_embedded_model_ranks_the_example_of_the_readme() -> None:
    documents = [
        "Our office is closed on public holidays.",
        "Passwords must have at least twelve characters.",
        "Open Settings, choose Account, then select Forgot password.",
    ]
    ranked = CrossEncoder().rank("How do I reset my password?", documents, return_documents=True)
    assert [(hit["corpus_id"], round(hit["score"], 3)) for hit in ranked] == [(2, 0.222), (1, 0.165), (0, 0.057)]
    assert [hit["text"] for hit in ranked] == [documents[2], documents[1], documents[0]]


def test_configuration_has_the_fields_of_the_file_and_names_of_all_labels() -> None:
    model = CrossEncoder()
    assert model.config is model.model.config
    fields = json.loads((ROOT / "models" / "default" / "config.json").read_text(encoding="utf-8"))
    known = {"id2label": {0: "LABEL_0"}, "label2id": {"LABEL_0": 0}, "num_labels": 1, "name_or_path": ""}
    assert model.config.to_dict().items() >= {**fields, **known}.items()
    assert pickle.loads(pickle.dumps(model)).config == model.config
    files = fixture("bert-labels3-cjk-h60").files()
    content = {**json.loads(files["config.json"]), "num_labels": 3, "id2label": {"0": "no", "1": "yes"}}
    config = CrossEncoder({**files, "config.json": json.dumps(content).encode()}).config
    assert list(config.label2id) == list(config.id2label.values()) == ["LABEL_0", "LABEL_1", "LABEL_2"]


def test_q8_is_close_to_f32_and_info_says_which_it_is() -> None:
    pairs = [["capital of France", "Paris is the capital of France."], ["capital of France", "Bread is tasty."]]
    exact, quantized = CrossEncoder(dtype="f32"), CrossEncoder(dtype="q8", threads=1)
    assert (exact.dtype, quantized.dtype, CrossEncoder().dtype) == ("f32", "q8", "q8")
    difference = np.abs(exact.predict(pairs, activation_fn=Identity()) - quantized.predict(pairs, activation_fn=Identity()))
    assert 0 < difference.max() < 0.3
    assert quantized.info["backend"]["device"] == "cpu" and str(quantized.device) == quantized.device.type == "cpu"


def test_scores_do_not_depend_on_the_batch_the_order_or_the_number_of_threads() -> None:
    model = fixture("modernbert-cls-h48")
    pairs = model.pairs * 4
    one, four = CrossEncoder(model.folder, threads=1), CrossEncoder(model.folder, threads=4)
    scores = one.predict(pairs)
    assert np.array_equal(four.predict(pairs, batch_size=1), scores)
    assert np.array_equal(one.predict(pairs[::-1], batch_size=1000), scores[::-1])


def test_activations_are_applied_by_the_engine_or_called_on_logits() -> None:
    model = fixture("bert-gelu-h36")
    encoder = CrossEncoder(model.folder)
    logits = np.array(model.expected["logits"], np.float32)[:, 0]
    sigmoid = encoder.predict(model.pairs, activation_fn=Sigmoid())
    assert np.allclose(sigmoid, 1 / (1 + np.exp(-logits)), atol=TOLERANCE)
    shapes = []

    def doubled(values: np.ndarray) -> np.ndarray:
        shapes.append(values.shape)
        return values * 2

    assert np.allclose(encoder.predict(model.pairs, activation_fn=doubled), logits * 2, atol=TOLERANCE)
    assert shapes == [(len(model.pairs), 1)]
    encoder.activation_fn = Identity()
    assert np.allclose(encoder.predict(model.pairs), logits, atol=TOLERANCE)


def test_activations_get_a_tensor_if_torch_is_loaded_and_an_array_if_they_cannot_take_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fixture("bert-gelu-h36")
    encoder = CrossEncoder(model.folder)
    logits = np.array(model.expected["logits"], np.float32)[:, 0]

    class Tensor:
        """What torch.tensor returns: a copy, of which `std` is that of a sample."""

        def __init__(self, values: np.ndarray) -> None:
            self.values = values.copy()

        def std(self, axis: int) -> np.ndarray:
            return self.values.std(axis, ddof=1)

        def __truediv__(self, divisor: np.ndarray) -> np.ndarray:
            return self.values / divisor

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(tensor=Tensor, inference_mode=contextlib.nullcontext))
    scaled = encoder.predict(model.pairs, activation_fn=lambda x: x / x.std(0))
    assert np.allclose(scaled, logits / logits.std(ddof=1), atol=TOLERANCE)
    halved = encoder.predict(model.pairs, activation_fn=lambda x: x.astype(np.float64) / 2)
    assert np.allclose(halved, logits / 2, atol=TOLERANCE)
    monkeypatch.delitem(sys.modules, "torch")
    scaled = encoder.predict(model.pairs, activation_fn=lambda x: x / x.std(0))
    assert np.allclose(scaled, logits / logits.std(), atol=TOLERANCE)


def test_modules_of_torch_with_parameters_are_activations() -> None:
    torch = pytest.importorskip("torch")

    class Scaled(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(3.0))

        def forward(self, logits: Any) -> Any:
            return torch.sigmoid(logits * self.scale)

    model = fixture("bert-gelu-h36")
    logits = np.array(model.expected["logits"], np.float32)[:, 0]
    scores = CrossEncoder(model.folder, activation_fn=Scaled()).predict(model.pairs)
    assert np.allclose(scores, 1 / (1 + np.exp(-3 * logits)), atol=TOLERANCE)


def test_softmax_over_labels() -> None:
    model = fixture("bert-labels3-cjk-h60")
    encoder = CrossEncoder(model.folder)
    scores = encoder.predict(model.pairs, apply_softmax=True)
    exponentials = np.exp(np.array(model.expected["scores"]))
    assert np.allclose(scores, exponentials / exponentials.sum(axis=1, keepdims=True), atol=TOLERANCE)


def test_pickled_model_is_small_and_scores_the_same() -> None:
    model = fixture("bert-gelu-h36")
    encoder = CrossEncoder(str(model.folder), max_length=20)
    pickled = pickle.dumps(encoder)
    copy = pickle.loads(pickled)
    assert len(pickled) < 2000
    assert copy.max_seq_length == 20
    assert np.array_equal(copy.predict(model.pairs), encoder.predict(model.pairs))


def test_pickled_model_is_found_again_where_its_folder_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = fixture("bert-gelu-h36")
    folders = [tmp_path / name for name in ("first", "second")]
    calls: list[dict[str, Any]] = []

    def snapshot_download(name: str, **options: Any) -> str:
        calls.append({"name": name, **options})
        return str(shutil.copytree(model.folder, folders[len(calls) - 1]))

    hub = SimpleNamespace(snapshot_download=snapshot_download, errors=SimpleNamespace(HFValidationError=KeyError))
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    options = {"revision": "v1", "cache_folder": "cache", "local_files_only": True}
    pickled = pickle.dumps(CrossEncoder("owner/model", token="hf_secret", **options))
    assert b"hf_secret" not in pickled and pickle.loads(pickled).num_labels == len(calls) == 1
    shutil.rmtree(folders[0])
    assert pickle.loads(pickled).num_labels == 1
    wanted = {"name": "owner/model", "revision": "v1", "cache_dir": "cache", "local_files_only": True}
    assert calls == [{**wanted, "token": "hf_secret"}, {**wanted, "token": None}]


def test_pickled_model_from_contents_carries_them() -> None:
    model = fixture("bert-gelu-h36")
    encoder = CrossEncoder({name: memoryview(content) for name, content in model.files().items()})
    pickled = pickle.dumps(encoder)
    assert len(pickled) < 1.2 * sum(map(len, model.files().values())) + 10_000
    assert np.array_equal(pickle.loads(pickled).predict(model.pairs), encoder.predict(model.pairs))


def test_refused_max_seq_length_changes_nothing() -> None:
    encoder = CrossEncoder(fixture("bert-gelu-h36").folder)
    length = encoder.max_seq_length
    with pytest.raises(ValueError, match="this model takes 4 to 48"):
        encoder.max_seq_length = 100_000
    assert encoder.max_seq_length == pickle.loads(pickle.dumps(encoder)).max_seq_length == length


def test_evaluators_get_the_model_and_the_folder(tmp_path: Path) -> None:
    model = fixture("bert-gelu-h36")
    encoder = CrossEncoder(model.folder)

    def evaluator(encoder: CrossEncoder, output_path: Path) -> dict[str, float]:
        (output_path / "result.csv").write_text("best")
        metrics = {"best": float(encoder.predict(model.pairs, convert_to_numpy=True, show_progress_bar=False).max())}
        encoder.model_card_data.set_evaluation_metrics(evaluator, metrics, 0, 0)
        return metrics

    metrics = encoder.evaluate(evaluator, output_path=tmp_path / "new")
    assert metrics == encoder.model_card_data.metrics == {"best": float(encoder.predict(model.pairs).max())}
    assert (tmp_path / "new" / "result.csv").is_file()


def test_shared_models_are_loaded_once() -> None:
    folder = str(fixture("bert-gelu-h36").folder)
    model = CrossEncoder.shared(folder, threads=1, dtype="f32")
    with ThreadPoolExecutor(4) as executor:
        others = [executor.submit(CrossEncoder.shared, folder, dtype="f32", threads=1) for _ in range(4)]
        assert all(other.result() is model for other in others)
    assert CrossEncoder.shared(folder, threads=2) is not model
    with pytest.raises(ValueError, match="hashable"):
        CrossEncoder.shared(folder, prompts={"query": "query: "})


def test_prompt_replaces_that_of_the_files_unless_it_is_left_out_of_the_pooling() -> None:
    files = fixture("chain-mean-sigmoid-h36").files()
    model = CrossEncoder(files)
    pairs = [["one river", "a bridge"], ["two", "three"]]
    prefixed = [[f"find: {query}", document] for query, document in pairs]
    assert np.array_equal(model.predict(pairs, prompt="find: "), model.predict(prefixed))
    pooling = json.loads(files["1_Pooling/config.json"])
    files["1_Pooling/config.json"] = json.dumps({**pooling, "include_prompt": False}).encode()
    with pytest.raises(RankletError, match="prompt") as caught:
        CrossEncoder(files).predict(pairs, prompt="find: ")
    assert caught.value.code == "unsupported"


def test_prompt_of_a_decoder_is_its_instruction() -> None:
    model = fixture("qwen2-window-h24")
    pairs = model.pairs[:2]
    prompted = CrossEncoder(model.folder).predict(pairs, prompt="Find rivers.", activation_fn=Identity())
    reranker = Reranker.load(model.folder)
    for (query, document), score in zip(pairs, prompted):
        response = reranker.rerank(query, [document], instruction="Find rivers.", scores="raw")
        assert response.results[0].score == score
    assert not np.array_equal(prompted, CrossEncoder(model.folder).predict(pairs, activation_fn=Identity()))
