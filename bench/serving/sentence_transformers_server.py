"""Serve a checkpoint with FastAPI and sentence-transformers in float32.

    python sentence_transformers_server.py FOLDER PORT

One request is scored at a time with all cores: calls of `predict` on several
threads are slower, because each call already uses every core.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from rerank_api import create_app
from sentence_transformers import CrossEncoder
from torch.nn import Sigmoid


def main(folder, port):
    """Serve until the process is ended."""
    model = CrossEncoder(folder, device="cpu", activation_fn=Sigmoid())
    executor = ThreadPoolExecutor(max_workers=1)

    def predict(query, documents):
        pairs = [(query, document) for document in documents]
        return model.predict(pairs, show_progress_bar=False)

    async def score(query, documents):
        return await asyncio.get_running_loop().run_in_executor(executor, predict, query, documents)

    app = create_app(score, "one call at a time")
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
