"""Errors have codes, and those that Python has exceptions for are these too."""

from __future__ import annotations

import base64
import hashlib
import inspect
import pickle
from pathlib import Path

import pytest

from conftest import ROOT, fixture
from ranklet import AsyncReranker, CrossEncoder, ErrorItem, RankletError, Reranker, _ranklet
from ranklet._adapters import cross_encoder
from ranklet.errors import make_error


def test_codes_are_those_of_javascript() -> None:
    source = (ROOT / "pkg" / "src" / "errors.ts").read_text(encoding="utf-8")
    names = source.split("errorCodes = [")[1].split("]")[0]
    codes = [name.strip().strip('"') for name in names.split(",") if name.strip()]
    assert _ranklet.error_codes() == codes
    assert all(f'"{code}"' in RankletError.__doc__ for code in codes)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("input", ValueError), ("unsupported", NotImplementedError), ("network", OSError), ("out-of-memory", MemoryError)],
)
def test_codes_with_an_exception_of_python(code: str, kind: type[Exception]) -> None:
    error = make_error(code, "wrong", ErrorItem("pair", 1, 2))
    assert isinstance(error, kind) and (error.code, str(error)) == (code, "wrong")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.code, str(copy), copy.item) == (type(error), code, "wrong", error.item)


def test_broken_files_have_their_code(tmp_path: Path) -> None:
    files = fixture("bert-gelu-h36").files()
    for name, content, code in [
        ("config.json", b"{", "config"),
        ("tokenizer.json", b"{}", "tokenizer"),
        ("model.safetensors", b"\0" * 20, "weights"),
    ]:
        with pytest.raises(RankletError) as caught:
            CrossEncoder({**files, name: content})
        assert caught.value.code == code, name
    with pytest.raises(RankletError) as caught:
        CrossEncoder(tmp_path)
    assert (caught.value.code, str(caught.value)) == ("config", "config.json is missing")


def test_error_names_the_pair() -> None:
    """A pair is refused whose token has no embedding."""
    files = fixture("bert-gelu-h36").files()
    added = b'{"id": 100000, "content": "xyzzy", "single_word": false, "lstrip": false, "rstrip": false, '
    added += b'"normalized": false, "special": false}, '
    files["tokenizer.json"] = files["tokenizer.json"].replace(b'"added_tokens": [', b'"added_tokens": [' + added, 1)
    model = CrossEncoder(files)
    with pytest.raises(RankletError) as caught:
        model.predict([["a", "b"], ["a", "xyzzy"], ["a", "c"]])
    assert caught.value.code == "tokenizer"
    assert caught.value.item == ("pair", 1, 2)
    assert str(caught.value).startswith("pair 1: ")
    assert model.predict([["a", "b"]]).shape == (1,)


def test_files_are_compared_with_their_hashes() -> None:
    model = fixture("bert-gelu-h36")
    digests = {name: hashlib.sha256(content) for name, content in model.files().items()}
    wanted = {
        "config.json": digests["config.json"].hexdigest(),
        "model.safetensors": "sha256-" + base64.b64encode(digests["model.safetensors"].digest()).decode(),
    }
    for source in (model.folder, model.files()):
        assert Reranker.load(source, integrity=wanted).info["num_labels"] == 1
        for wrong, code in [
            ({"config.json": digests["tokenizer.json"].hexdigest()}, "integrity"),
            ({"no_such_file.json": wanted["config.json"]}, "integrity"),
            ({"config.json": "sha256-abc"}, "input"),
        ]:
            with pytest.raises(RankletError) as caught:
                Reranker.load(source, integrity={**wanted, **wrong})
            assert caught.value.code == code


def test_memory_limit_is_an_error_before_the_weights_are_read() -> None:
    with pytest.raises(MemoryError) as caught:
        CrossEncoder(max_memory_bytes=1_000_000)
    assert caught.value.code == "out-of-memory"


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "int8"},
        {"device": "tpu"},
        {"threads": 0},
        {"threads": True},
        {"max_length": -1},
        {"num_labels": 3},
        {"default_prompt_name": "query"},
    ],
)
def test_wrong_options_are_value_errors(options: dict) -> None:
    with pytest.raises(ValueError):
        CrossEncoder(**options)


def test_models_of_another_kind_and_options_for_loaded_ones_are_refused() -> None:
    model = CrossEncoder()
    for wrong in (5, model, ["owner/model"]):
        with pytest.raises(ValueError, match="the model must be a folder, an id"):
            Reranker.load(wrong)
    assert cross_encoder(model, {"threads": None, "trust_remote_code": False}) is model
    with pytest.raises(ValueError, match="threads: options for loading, and the model is loaded"):
        cross_encoder(model, {"threads": 1})


@pytest.mark.parametrize("name", ["rerank", "stream", "rank", "prepare", "explain", "compare", "explain_cost"])
def test_wrong_kinds_of_options_are_errors_that_name_the_option(name: str) -> None:
    reranker = Reranker.load(device="cpu")
    texts = {"explain": ["q", "d"], "explain_cost": ["q", "d"], "compare": ["q", "a", "b"], "prepare": [["d"]]}
    call, accepted = getattr(reranker, name), inspect.signature(getattr(Reranker, name)).parameters
    wrong = {"instruction": 5, "rank_fields": [1], "min_score": "x", "fuse": 5, "highlights": "x", "deadline_ms": "x"}
    options = {option: value for option, value in wrong.items() if option in accepted}
    assert options
    for option, value in options.items():
        with pytest.raises(RankletError, match=option) as caught:
            list(call(*texts.get(name, ["q", [{"text": "d"}]]), **{option: value}))
        assert caught.value.code == "input", option


def test_wrong_kinds_of_prompts_and_caches_are_errors_that_name_them() -> None:
    with pytest.raises(ValueError, match="prompt must be a str, not int"):
        CrossEncoder().predict([["a", "b"]], prompt=5)
    with pytest.raises(ValueError, match="score_cache must be"):
        Reranker.load(score_cache=5)
    collection = Reranker.load(device="cpu").prepare(["a"])
    with pytest.raises(ValueError, match="min_score must be a number, not 'x'"):
        collection.rank("q", min_score="x")


def test_half_of_a_surrogate_pair_is_named_by_its_pair_and_replaced_in_instructions() -> None:
    pairs = [["a", "b"], ["c", "d\ud800"], ["e", "f"]]
    with pytest.raises(TypeError, match="pair 1: the document has half of a surrogate pair at 1"):
        CrossEncoder().predict(pairs)
    with pytest.raises(TypeError, match="the prompt has half"):
        CrossEncoder().predict(pairs[:1], prompt="\udc00")
    model = Reranker.load(fixture("qwen2-window-h24").folder, device="cpu")
    half, whole = (model.rerank("q", ["d"], instruction=f"Find {end}").results for end in ("\ud800", "\ufffd"))
    assert half == whole
    assert model.explain("q", "d", instruction="\ud800") == model.explain("q", "d", instruction="\ufffd")


def test_a_panic_is_an_error_and_no_panic_exception() -> None:
    with pytest.raises(Exception) as caught:
        _ranklet.panic_inside("no such thing")
    assert isinstance(caught.value, RankletError)
    assert (caught.value.code, str(caught.value)) == ("internal", "Ranklet panicked: no such thing")


def test_members_for_training_say_what_to_use() -> None:
    model = CrossEncoder()
    for name in ("fit", "save_pretrained", "push_to_hub", "start_multi_process_pool", "tokenizer", "half"):
        with pytest.raises(RankletError, match=name) as caught:
            getattr(model, name)
        assert caught.value.code == "unsupported" and isinstance(caught.value, NotImplementedError)
        assert not hasattr(model, name) and getattr(model, name, None) is None
    for name in ("half", "to", "parameters"):
        with pytest.raises(NotImplementedError, match=f"CrossEncoder.model.{name}: the model is not made of torch's modules"):
            getattr(model.model, name)
        assert not hasattr(model.model, name)
    with pytest.raises(AttributeError):
        _ = model.no_such_member


def test_rerankers_are_loaded_and_not_pickled() -> None:
    for create in (Reranker, AsyncReranker):
        with pytest.raises(TypeError, match=rf"create an? {create.__name__} with .*{create.__name__}\.load\(model\)"):
            create("cross-encoder/ms-marco-MiniLM-L6-v2")
    reranker = Reranker.load(device="cpu")
    assert repr(reranker) == "Reranker(bert, cpu, q8)"
    with pytest.raises(TypeError, match="cannot be pickled: load it in each process, or use ranklet.CrossEncoder"):
        pickle.dumps(reranker)
    reranker.dispose()
    assert repr(reranker) == "Reranker(disposed)"
