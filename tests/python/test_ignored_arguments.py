"""Arguments of sentence-transformers' CrossEncoder that have no effect here: each gives one warning."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conftest import fixture
from ranklet import CrossEncoder
from ranklet._cross_encoder import arguments

PAIRS = [["a", "b"], ["c", "d"]]


@pytest.fixture(autouse=True)
def no_warning_was_given_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "_warned", set())


def load(**options: Any) -> CrossEncoder:
    return CrossEncoder(fixture("bert-gelu-h36").folder, **options)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trust_remote_code", True),
        ("model_card_data", SimpleNamespace()),
        ("keep_in_fp32_modules", ["classifier"]),
        ("backend", "openvino"),
    ],
)
def test_loading_warns_once(name: str, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        model = load(**{name: value})
    assert len(caplog.messages) == 1 and name in caplog.messages[0] and "is ignored" in caplog.messages[0]
    assert model.predict(PAIRS).tolist() == load().predict(PAIRS).tolist()


def test_values_that_ask_for_nothing_give_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    load(trust_remote_code=False, model_card_data=None, keep_in_fp32_modules=None, backend="torch").predict(PAIRS)
    load(backend="onnx").rank("a", ["b"], chunk_size=None)
    assert caplog.messages == []


def test_scoring_warns_once_of_a_chunk_size(caplog: pytest.LogCaptureFixture) -> None:
    model = load()
    scores = model.predict(PAIRS, chunk_size=1)
    assert scores.tolist() == model.predict(PAIRS).tolist()
    model.rank("a", ["b"], chunk_size=1)
    assert caplog.messages == ["CrossEncoder: chunk_size is ignored: it is for pools of processes"]


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"model_kwargs": {"torch_dtype": "torch.float16"}}, "dtype"),
        ({"model_kwargs": {"dtype": "bfloat16"}}, "dtype"),
        ({"model_kwargs": {"device_map": "auto"}}, "device"),
        ({"processor_kwargs": {"max_length": 8}}, "max_length"),
    ],
)
def test_keyword_arguments_that_are_options_here_name_the_option(
    options: dict[str, Any], option: str, caplog: pytest.LogCaptureFixture
) -> None:
    load(**options)
    assert len(caplog.messages) == 1 and caplog.messages[0].endswith(f"is ignored: pass {option}= to CrossEncoder")


def test_the_number_of_a_device_is_ignored_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert arguments.device_of("cuda:0") == arguments.device_of("cuda") == "gpu" and caplog.messages == []
    for _ in range(2):
        assert arguments.device_of("cuda:1") == "gpu"
    assert caplog.messages == ['CrossEncoder: the number in device="cuda:1" is ignored: the system chooses the GPU']


def test_another_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="backend must be one of torch, onnx, openvino, not 'tensorrt'"):
        load(backend="tensorrt")
