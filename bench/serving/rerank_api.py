"""The request and the response of the servers that Ranklet is compared with."""

from fastapi import FastAPI, Request
from pydantic import BaseModel


class RerankRequest(BaseModel):
    """A query and its documents."""

    query: str
    documents: list[str]


def create_app(score, settings, lifespan=None):
    """Return an app that answers POST /rerank with a ranking, best first.

    `score(query, documents, is_disconnected)` is awaited and returns probabilities
    in document order. `is_disconnected()` tells whether the client has gone.
    `settings` is a text for the report.
    """
    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health():
        return {"status": "ok", "settings": settings}

    @app.post("/rerank")
    async def rerank(body: RerankRequest, request: Request):
        scores = await score(body.query, body.documents, request.is_disconnected)
        ranking = sorted(enumerate(scores), key=lambda row: -row[1])
        return {"results": [{"index": index, "relevance_score": float(value)} for index, value in ranking]}

    return app
