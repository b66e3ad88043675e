"""Models by their id, from a local server that answers like the Hub."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import MAX_PROCESS_SECONDS, fixture
from ranklet import CrossEncoder

MODEL = fixture("chain-cls-h40")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Has the repository cross-encoder/model."""

    requests: list[str] = []
    tokens: set[str | None] = set()

    def do_GET(self) -> None:
        Hub.requests.append(self.path)
        Hub.tokens.add(self.headers.get("authorization"))
        files = MODEL.files()
        if self.path.startswith("/api/models/cross-encoder/model"):
            siblings = [{"rfilename": name} for name in files]
            body = json.dumps({"id": "cross-encoder/model", "sha": COMMIT, "siblings": siblings}).encode()
            self.answer(200, body)
            return
        name = self.path.removeprefix("/cross-encoder/model/resolve/").partition("/")[2]
        if name not in files:
            self.answer(404, b"", [("x-error-code", "EntryNotFound" if "model" in self.path else "RepoNotFound")])
            return
        body, headers = files[name], [("etag", f'"{name}"'.replace("/", "_")), ("x-repo-commit", COMMIT)]
        if asked := self.headers.get("range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) + 1 if last else len(body)
            headers.append(("content-range", f"bytes {start}-{min(end, len(body)) - 1}/{len(body)}"))
            self.answer(206, body[start:end], headers)
        else:
            self.answer(200, body, headers)

    do_HEAD = do_GET

    def answer(self, status: int, body: bytes, headers: list[tuple[str, str]] | None = None) -> None:
        self.send_response(status)
        for name, value in [*(headers or []), ("content-length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Hub.requests.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def stopped() -> Iterator[str]:
    """The address of a server that does not run. Its port is kept, so that no other program listens there meanwhile."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


def scores(endpoint: str, home: Path, arguments: str, python: str = sys.executable, **variables: str) -> str:
    """Loads a model in another process, because programs read the environment once. Returns its scores or its error."""
    program = f"""
import json, ranklet
try:
    print(json.dumps(ranklet.CrossEncoder({arguments}).predict({MODEL.pairs[:3]!r}).tolist()))
except ranklet.RankletError as error:
    print(error.code, error)
"""
    environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PATH": "/usr/bin", "HF_HUB_DISABLE_XET": "1"}
    run = subprocess.run(
        [python, "-c", program], capture_output=True, text=True, timeout=MAX_PROCESS_SECONDS, env={**environment, **variables}
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def check(endpoint: str, stopped: str, home: Path, python: str = sys.executable) -> None:
    expected = np.array(MODEL.expected["scores"])[:3, 0]
    for arguments in ("'cross-encoder/model'", "'model'", "'cross-encoder/model', revision='main'"):
        assert np.allclose(json.loads(scores(endpoint, home, arguments, python)), expected, atol=1e-4)
    downloads = [path for path in Hub.requests if path.endswith("model.safetensors")]
    assert downloads and not any("expected" in path for path in Hub.requests)
    Hub.requests.clear()
    for offline in ({"HF_HUB_OFFLINE": "1"}, {}):
        arguments = "'model'" if offline else "'model', local_files_only=True"
        assert np.allclose(json.loads(scores(endpoint, home, arguments, python, **offline)), expected, atol=1e-4)
    assert np.allclose(json.loads(scores(stopped, home, "'model'", python)), expected, atol=1e-4)
    assert Hub.requests == []
    error = scores(stopped, home, "'cross-encoder/other'", python)
    assert error.startswith("network ") and "connect" in error.lower(), error
    assert scores(endpoint, home, "'cross-encoder/other'", python).startswith("network ")
    assert scores(endpoint, home, "'./no/such/folder'", python).startswith("input ./no/such/folder is neither a folder")
    error = scores(endpoint, home, "'model', local_files_only=True, cache_folder='/nonexistent'", python)
    assert error.startswith("network ") and "HF_HUB_OFFLINE is set" not in error, error


def test_downloads_once_into_the_cache_of_huggingface(endpoint: str, stopped: str, tmp_path: Path) -> None:
    check(endpoint, stopped, tmp_path)
    assert (tmp_path / "hub" / "models--cross-encoder--model" / "snapshots" / COMMIT / "config.json").is_file()


@pytest.mark.parametrize(("status", "is_found"), [(None, True), (503, True), (401, False), (403, False), (404, False)])
def test_any_error_but_a_refusal_leads_to_the_cache(monkeypatch: pytest.MonkeyPatch, status: int | None, is_found: bool) -> None:
    """huggingface_hub raises errors of httpx, which are no OSErrors."""

    class HubError(Exception):
        response = SimpleNamespace(status_code=status)

    def model_info(name: str, **options: object) -> None:
        raise HubError("the first error")

    def snapshot_download(name: str, **options: object) -> str:
        assert options["local_files_only"]
        if name == "owner/cached":
            return str(MODEL.folder)
        raise FileNotFoundError("the second error")

    errors = SimpleNamespace(HFValidationError=KeyError)
    hub = SimpleNamespace(model_info=model_info, snapshot_download=snapshot_download, errors=errors)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    if is_found:
        assert CrossEncoder("owner/cached").num_labels == 1
    for name in ["owner/missing"] if is_found else ["owner/missing", "owner/cached"]:
        with pytest.raises(OSError, match=f"{name}: HubError: the first error"):
            CrossEncoder(name)


def test_the_token_is_that_of_the_environment_unless_the_call_says_otherwise(endpoint: str, tmp_path: Path) -> None:
    for option, sent in (("", "Bearer saved"), (", token='other'", "Bearer other"), (", token=False", None)):
        Hub.tokens.clear()
        scores(endpoint, tmp_path / option, f"'model'{option}", HF_TOKEN="saved")
        assert Hub.tokens == {sent}, option


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupt_ends_a_download() -> None:
    program = """
import signal
from ranklet import Reranker
# A shell's background jobs ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    Reranker.load("owner/model")
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {"HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}", "PATH": "/usr/bin"}
        command = [sys.executable, "-c", program]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        try:
            # From here on, the program is in `load`.
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=MAX_PROCESS_SECONDS)
            assert output == "interrupted\n"
            connection.close()
        finally:
            process.kill()
            process.wait(timeout=10)


@pytest.mark.long
def test_huggingface_hub_downloads_where_it_is_installed(
    endpoint: str, stopped: str, tmp_path: Path, environment_with: Callable[..., str]
) -> None:
    check(endpoint, stopped, tmp_path, environment_with("huggingface_hub==2.4.0"))
    assert (tmp_path / "hub" / "models--cross-encoder--model" / "snapshots" / COMMIT / "config.json").is_file()
