"""The adapters, in the real frameworks."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable

import pytest
from test_docs import blocks

from conftest import fixture

DOCUMENTS = """
import sys
folder = sys.argv[1]
documents = [
    "Bananas are rich in potassium.",
    "Python was created by Guido van Rossum.",
    "Deep learning uses neural networks with many layers.",
    "The quick brown fox jumps over the lazy dog.",
]
query = "Who created Python?"
"""

LANGCHAIN = """
import asyncio
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import CrossEncoderReranker
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from ranklet import CrossEncoder
from ranklet.langchain import RankletCrossEncoder, RankletRerank

store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
store.add_texts(documents)
retriever = store.as_retriever(search_kwargs={"k": 4})
for compressor in (CrossEncoderReranker(model=RankletCrossEncoder(), top_n=3), RankletRerank(top_n=3), RankletRerank(CrossEncoder())):
    compression = ContextualCompressionRetriever(base_compressor=compressor, base_retriever=retriever)
    found = compression.invoke(query)
    assert len(found) == 3 and found[0].page_content == documents[1], found
    assert asyncio.run(compression.ainvoke(query)) == found
best = CrossEncoder().rank(query, documents, top_k=1)[0]["score"]
assert found[0].metadata["relevance_score"] == best
assert "relevance_score" not in retriever.invoke(query)[0].metadata
assert list(RankletRerank().compress_documents([], query)) == []

loaded = CrossEncoder(folder)
assert RankletCrossEncoder(loaded).client is RankletRerank(loaded)._client is loaded
assert RankletCrossEncoder(folder, model_kwargs={"max_length": 12}).client.max_length == 12
for adapter in (RankletCrossEncoder, RankletRerank):
    try:
        adapter(loaded, model_kwargs={"max_length": 12})
    except ValueError as error:
        assert "max_length" in str(error) and "loaded" in str(error), error
    else:
        raise AssertionError("options for loading are refused with a loaded model")
"""

LANGCHAIN_OF_THE_GUIDE = blocks("docs/python.md", "py")[0] + "assert len(documents) == 3, documents\n"

LLAMA_INDEX = """
import asyncio
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from ranklet import CrossEncoder
from ranklet.llama_index import RankletRerank

nodes = [NodeWithScore(node=TextNode(text=text), score=0.5) for text in documents]
rerank = RankletRerank(top_n=2, keep_retrieval_score=True)
best = rerank.postprocess_nodes(nodes, query_str=query)
assert [node.get_content() for node in best][0] == documents[1] and len(best) == 2
assert best[0].score == CrossEncoder().rank(query, documents, top_k=1)[0]["score"]
assert best[0].metadata["retrieval_score"] == 0.5
again = asyncio.run(RankletRerank(top_n=1).apostprocess_nodes(nodes, query_bundle=QueryBundle(query)))
assert [node.get_content() for node in again] == [documents[1]]
assert rerank.postprocess_nodes([], query_str=query) == []
try:
    rerank.postprocess_nodes(nodes)
except ValueError as error:
    assert "query" in str(error)
else:
    raise AssertionError("a call without a query is refused")
"""

# The calls of SentenceTransformerRerank 0.6.0, and the events that it fires.
LLAMA_INDEX_CALLS = """
import inspect
import pathlib
import pickle
import tempfile
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.schema import NodeWithScore, TextNode
from ranklet import CrossEncoder
from ranklet.llama_index import RankletRerank

names = ["model", "device", "cache_folder", "top_n", "keep_retrieval_score", "cross_encoder_kwargs"]
names += ["trust_remote_code"]
assert list(inspect.signature(RankletRerank).parameters) == names
rerank = RankletRerank(folder, "cpu", tempfile.mkdtemp(), 1, True, {"max_length": 12, "threads": 1})
assert (rerank.top_n, rerank.keep_retrieval_score, rerank._model.max_length) == (1, True, 12)
assert rerank._model.info == CrossEncoder(folder, max_length=12, threads=1).info

copy = RankletRerank.from_dict(rerank.to_dict())
assert copy.to_dict() == rerank.to_dict() and copy._model.max_length == 12
assert RankletRerank.from_dict(RankletRerank().to_dict())._model.info == CrossEncoder().info

for arguments, word in [
    ({"cross_encoder_kwargs": {"device": "cpu"}}, "device"),
    ({"cross_encoder_kwargs": {"model": folder}}, "model"),
    ({"model": CrossEncoder(), "cross_encoder_kwargs": {"max_length": 12}}, "loaded"),
    ({"model": CrossEncoder(), "device": "cpu"}, "loaded"),
]:
    try:
        RankletRerank(**arguments)
    except ValueError as error:
        assert word in str(error), error
    else:
        raise AssertionError(f"{arguments} is refused")


for model in (CrossEncoder(folder), {path.name: path.read_bytes() for path in pathlib.Path(folder).glob("*.*")}):
    unnamed = RankletRerank(model)
    assert unnamed._model.info == CrossEncoder(folder).info
    assert pickle.loads(pickle.dumps(unnamed))._model.info == unnamed._model.info
    for write in (unnamed.to_dict, unnamed.to_json):
        try:
            write()
        except ValueError as error:
            assert "name" in str(error), error
        else:
            raise AssertionError("a model without a name is not written")


class Events(BaseEventHandler):
    seen: list = []

    def handle(self, event, **options):
        self.seen.append(event)


events = Events()
get_dispatcher().add_event_handler(events)
debug = LlamaDebugHandler(print_trace_on_end=False)
rerank.callback_manager = CallbackManager([debug])
nodes = [NodeWithScore(node=TextNode(text=text), score=0.5) for text in documents]
best = rerank.postprocess_nodes(nodes, query_str=query)
start, end = debug.get_event_pairs(CBEventType.RERANKING)[0]
assert start.payload == {
    EventPayload.NODES: nodes,
    EventPayload.MODEL_NAME: folder,
    EventPayload.QUERY_STR: query,
    EventPayload.TOP_K: 1,
}
assert end.payload == {EventPayload.NODES: best}
assert [event.class_name() for event in events.seen] == ["ReRankStartEvent", "ReRankEndEvent"]
assert events.seen[0].model_name == folder and events.seen[1].nodes == best
"""

HAYSTACK = """
from haystack import Document, Pipeline
from ranklet import CrossEncoder, Identity
from ranklet.haystack import RankletRanker

pipeline = Pipeline()
pipeline.add_component("ranker", RankletRanker(top_k=2))
pipeline = Pipeline.loads(pipeline.dumps(), allowed_modules=["ranklet.haystack"])
found = [Document(content=text, meta={"title": "T"}) for text in documents]
result = pipeline.run({"ranker": {"query": query, "documents": [*found, found[0]]}})["ranker"]["documents"]
assert len(result) == 2 and result[0].content == documents[1]
assert found[1].score is None
logits = RankletRanker(scale_score=False).run(query, found)["documents"]
assert len(logits) == 4
expected = CrossEncoder().rank(query, documents, activation_fn=Identity())
assert [document.score for document in logits] == [hit["score"] for hit in expected]
assert RankletRanker(score_threshold=2.0).run(query, found)["documents"] == []
assert RankletRanker(meta_fields_to_embed=["title"])._text(found[0]) == "T\\n" + documents[0]
assert RankletRanker().run(query, [])["documents"] == []
"""

# The options of SentenceTransformersSimilarityRanker 2.0.0, and what of them a file holds.
HAYSTACK_OPTIONS = """
import logging
import os
from pathlib import Path
from haystack import Document, Pipeline
from haystack.utils import ComponentDevice, Secret
from ranklet import CrossEncoder
from ranklet.haystack import RankletRanker


class Messages(logging.Handler):
    seen = []

    def emit(self, record):
        self.seen.append(record.getMessage())


logging.getLogger("ranklet").addHandler(Messages())
os.environ["TOKEN_OF_THE_TEST"] = "hf_secret"
options = {
    "model": folder,
    "device": ComponentDevice.from_str("cpu"),
    "token": Secret.from_env_var("TOKEN_OF_THE_TEST"),
    "top_k": 2,
    "query_prefix": "a",
    "query_suffix": "b",
    "document_prefix": "c",
    "document_suffix": "d",
    "meta_fields_to_embed": ["pages"],
    "embedding_separator": "; ",
    "scale_score": False,
    "score_threshold": -100.0,
    "trust_remote_code": True,
    "model_kwargs": {"torch_dtype": "torch.float32", "attn_implementation": "sdpa"},
    "tokenizer_kwargs": {"model_max_length": 20},
    "config_kwargs": {"num_labels": 1},
    "backend": "openvino",
    "batch_size": 4,
}
ranker = RankletRanker(**options, cross_encoder_kwargs={"threads": 1})
pipeline = Pipeline()
pipeline.add_component("ranker", ranker)
text = pipeline.dumps()
assert "hf_secret" not in text and "TOKEN_OF_THE_TEST" in text
loaded = Pipeline.loads(text, allowed_modules=["ranklet.haystack"])
assert loaded.dumps() == text
copy = loaded.get_component("ranker")
for name, value in options.items():
    assert getattr(copy, name) == value, name
assert copy.cross_encoder_kwargs == {"threads": 1}

found = [Document(content=text, meta={"pages": 0}) for text in documents]
result = loaded.run({"ranker": {"query": query, "documents": found}})["ranker"]["documents"]
model = CrossEncoder(folder, max_length=20, threads=1)
assert copy._model.info == model.info
expected = model.rank("a" + query + "b", ["c0; " + text + "d" for text in documents], 2, activation_fn=lambda x: x)
assert [document.content for document in result] == [documents[hit["corpus_id"]] for hit in expected]
assert abs(result[0].score - expected[0]["score"]) < 1e-4
for word in ("trust_remote_code", "attn_implementation", "openvino"):
    assert sum(word in message for message in Messages.seen) == 1, (word, Messages.seen)

twice = [Document(id="same", content="the first", score=-1.0), Document(id="same", content="the second", score=0.0)]
result = loaded.run({"ranker": {"query": query, "documents": twice}})["ranker"]["documents"]
assert [document.content for document in result] == ["the second"]

received = {}
real = CrossEncoder.__init__
CrossEncoder.__init__ = lambda self, model, **given: (received.update(given), real(self, model))[1]
RankletRanker(token=Secret.from_token("hf_secret")).warm_up()
assert received["token"] == "hf_secret"
kwargs = {"torch_dtype": "torch.float32"}
RankletRanker(device="auto", token=None, model_kwargs=kwargs).warm_up()
assert (received["device"], received["token"], received["model_kwargs"]) == ("auto", None, kwargs)
CrossEncoder.__init__ = real
assert RankletRanker(Path("/a/folder")).to_dict()["init_parameters"]["model"] == "/a/folder"


def refused(error, call):
    try:
        call()
    except error:
        return
    raise AssertionError(f"{error} is raised")


refused(ValueError, RankletRanker(token=Secret.from_token("hf_secret")).to_dict)
refused(TypeError, lambda: RankletRanker(token="hf_secret"))
refused(TypeError, lambda: RankletRanker(CrossEncoder()))
refused(ValueError, lambda: RankletRanker(cross_encoder_kwargs={"token": "hf_secret"}))
refused(ValueError, lambda: RankletRanker(batch_size=0).run(query, found))
"""

LANCEDB = """
import inspect
import tempfile
import lancedb
from lancedb.index import FTS
from lancedb.rerankers import CrossEncoderReranker
from ranklet import CrossEncoder
from ranklet.lancedb import RankletReranker

table = lancedb.connect(tempfile.mkdtemp()).create_table(
    "t", [{"vector": [float(at), 1.0], "text": text} for at, text in enumerate(documents)]
)
table.create_index("text", config=FTS())
reranker = RankletReranker()
expected = CrossEncoder().rank(query, documents)
rows = table.search([0.0, 1.0]).rerank(reranker, query_string=query).to_list()
assert [row["text"] for row in rows] == [documents[hit["corpus_id"]] for hit in expected]
assert [row["_relevance_score"] for row in rows] == [hit["score"] for hit in expected]
assert "_distance" not in rows[0]
rows = table.search(query, query_type="fts").rerank(reranker).to_list()
assert rows[0]["text"] == documents[1]
hybrid = table.search(query_type="hybrid").vector([0.0, 1.0]).text(query)
rows = hybrid.rerank(RankletReranker(return_score="all")).to_list()
assert rows[0]["text"] == documents[1] and len({row["text"] for row in rows}) == len(rows)

# The arguments of CrossEncoderReranker, which has other defaults of model_name and trust_remote_code.
names = list(inspect.signature(CrossEncoderReranker).parameters)
assert list(inspect.signature(RankletReranker).parameters) == names, names
reranker = RankletReranker(folder, "text", "cpu", "all", True, 4, max_length=12)
assert (reranker.score, reranker.batch_size, reranker.model.max_length) == ("all", 4, 12)
received = {}
real = CrossEncoder.predict
CrossEncoder.predict = lambda self, pairs, **given: (received.update(given), real(self, pairs, **given))[1]
assert "_distance" in table.search([0.0, 1.0]).rerank(reranker, query_string=query).to_list()[0]
assert received == {"batch_size": 4}
loaded = CrossEncoder(folder)
assert RankletReranker(loaded).model is loaded
try:
    RankletReranker(loaded, device="cpu")
except ValueError as error:
    assert "device" in str(error) and "loaded" in str(error), error
else:
    raise AssertionError("options for loading are refused with a loaded model")
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("packages", "program"),
    [
        (["langchain-core==1.8.3", "langchain-classic==1.0.8"], LANGCHAIN + LANGCHAIN_OF_THE_GUIDE),
        (["llama-index-core==0.14.25"], LLAMA_INDEX + LLAMA_INDEX_CALLS),
        (["haystack-ai==3.4.1"], HAYSTACK + HAYSTACK_OPTIONS),
        (["lancedb==0.40.0"], LANCEDB),
    ],
    ids=["langchain", "llama_index", "haystack", "lancedb"],
)
def test_adapter_works_in_its_framework(packages: list[str], program: str, environment_with: Callable[..., str]) -> None:
    python = environment_with(*packages)
    command = [python, "-c", DOCUMENTS + textwrap.dedent(program), str(fixture("bert-gelu-h36").folder)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr[-3000:]
