"""Serve a checkpoint with FastAPI and sentence-transformers in float32.

    python sentence_transformers_server.py FOLDER PORT

One request is scored at a time with all cores: calls of `predict` on several
threads are slower, because each call already uses every core. A request whose
client has gone is not scored, or it would slow down the server measured next.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import torch
import uvicorn
from rerank_api import create_app
from sentence_transformers import CrossEncoder


def main(folder, port):
    """Serve until the process is ended."""
    # In float32 whatever type the checkpoint has, because its own may be float16, which is slow on a CPU.
    model = CrossEncoder(folder, device="cpu", activation_fn=torch.nn.Sigmoid(), model_kwargs={"dtype": torch.float32})
    executor = ThreadPoolExecutor(max_workers=1)
    turn = asyncio.Lock()

    def predict(query, documents):
        pairs = [(query, document) for document in documents]
        return model.predict(pairs, show_progress_bar=False)

    async def score(query, documents, is_disconnected):
        async with turn:
            if await is_disconnected():
                return []
            return await asyncio.get_running_loop().run_in_executor(executor, predict, query, documents)

    app = create_app(score, "one call at a time")
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
