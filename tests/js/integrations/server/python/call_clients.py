"""Calls one rerank client of PyPI, unchanged but for its base URL.

    python call_clients.py ORIGIN KEY CLIENT

Prints the ranking as a JSON array of [index, score], best first. Each function returns what its client returns.
"""

import json
import sys

QUERY = "What is the capital of France?"
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bananas are yellow."]


def cohere_v2(origin, key):
    import cohere

    response = cohere.ClientV2(api_key=key, base_url=origin).rerank(model="m", query=QUERY, documents=DOCUMENTS, top_n=2)
    return [[row.index, row.relevance_score] for row in response.results]


def cohere_v1(origin, key):
    import cohere

    response = cohere.Client(api_key=key, base_url=origin).rerank(model="m", query=QUERY, documents=DOCUMENTS, top_n=2)
    return [[row.index, row.relevance_score] for row in response.results]


def voyageai(origin, key):
    import voyageai

    response = voyageai.Client(api_key=key, base_url=f"{origin}/v1").rerank(QUERY, DOCUMENTS, model="m", top_k=2)
    assert response.results[0].document == DOCUMENTS[response.results[0].index]
    assert response.total_tokens > 0
    return [[row.index, row.relevance_score] for row in response.results]


def langchain_cohere(origin, key):
    from langchain_cohere import CohereRerank

    rows = CohereRerank(model="m", cohere_api_key=key, base_url=origin).rerank(DOCUMENTS, QUERY, top_n=2)
    return [[row["index"], row["relevance_score"]] for row in rows]


def llama_index(postprocessor):
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    nodes = [NodeWithScore(node=TextNode(text=text, id_=str(index)), score=0.1) for index, text in enumerate(DOCUMENTS)]
    ranked = postprocessor.postprocess_nodes(nodes, query_bundle=QueryBundle(QUERY))
    return [[int(row.node.node_id), row.score] for row in ranked]


def llama_index_jina(origin, key):
    from llama_index.postprocessor.jinaai_rerank import JinaRerank

    return llama_index(JinaRerank(api_key=key, base_url=f"{origin}/v1", model="m", top_n=2))


def llama_index_tei(origin, key):
    from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

    return llama_index(TextEmbeddingInference(base_url=origin, auth_token=f"Bearer {key}", model_name="m", top_n=2))


def llama_index_cohere(origin, key):
    from llama_index.postprocessor.cohere_rerank import CohereRerank

    return llama_index(CohereRerank(api_key=key, base_url=origin, model="m", top_n=2))


def haystack(ranker):
    from haystack import Document

    documents = [Document(id=str(index), content=text) for index, text in enumerate(DOCUMENTS)]
    if hasattr(ranker, "warm_up"):
        ranker.warm_up()
    ranked = ranker.run(query=QUERY, documents=documents, top_k=2)["documents"]
    return [[int(document.id), document.score] for document in ranked]


def haystack_jina(origin, key):
    from haystack.utils import Secret
    from haystack_integrations.components.rankers.jina import JinaRanker

    return haystack(JinaRanker(api_key=Secret.from_token(key), model="m", base_url=f"{origin}/v1/rerank"))


def haystack_tei(origin, key):
    from haystack.utils import Secret
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

    return haystack(HuggingFaceTEIRanker(url=origin, token=Secret.from_token(key)))


def haystack_cohere(origin, key):
    from haystack.utils import Secret
    from haystack_integrations.components.rankers.cohere import CohereRanker

    return haystack(CohereRanker(api_key=Secret.from_token(key), model="m", api_base_url=origin))


def infinity_client(origin, key):
    from infinity_client import AuthenticatedClient
    from infinity_client.api.default import rerank
    from infinity_client.models import RerankInput

    body = RerankInput(query=QUERY, documents=DOCUMENTS, return_documents=True, model="m", top_n=2)
    response = rerank.sync(client=AuthenticatedClient(base_url=origin, token=key), body=body)
    assert response.results[0].document == DOCUMENTS[response.results[0].index]
    return [[row.index, row.relevance_score] for row in response.results]


if __name__ == "__main__":
    origin, key, client = sys.argv[1:]
    print(json.dumps(globals()[client](origin, key)))
