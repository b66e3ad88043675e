"""Cuts a WordPiece vocabulary to the entries that English text uses."""

import json
from collections import Counter

import torch
from tokenizers import Tokenizer

# Truncation and padding are left over from an embedding model; Hugging Face's libraries ignore them.
LEFTOVERS = ("truncation", "padding")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def always_kept(piece):
    """Whether a piece stays even if it never occurs: with the ASCII characters, any English word can be spelled."""
    text = piece.removeprefix("##")
    return piece in SPECIAL or (len(text) == 1 and ord(text) < 0x250)


def chosen_pieces(tokenizer_json, texts, count):
    """Returns the ids to keep, in their old order, so that [PAD] stays 0.

    First come the pieces that are always kept, then those that occur in the texts, by frequency, then the others: BERT's
    ids are in the order of their frequency in its training text. Unused entries come last.
    """
    vocabulary = json.loads(tokenizer_json)["model"]["vocab"]
    tokenizer = Tokenizer.from_str(tokenizer_json)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    occurrences = Counter()
    for start in range(0, len(texts), 1000):
        for encoding in tokenizer.encode_batch(texts[start : start + 1000], add_special_tokens=False):
            occurrences.update(encoding.ids)

    def rank(entry):
        piece, index = entry
        is_unused = piece.startswith("[unused")
        return (is_unused, not always_kept(piece), -occurrences[index], index)

    ranked = sorted(vocabulary.items(), key=rank)
    return sorted(index for _, index in ranked[:count])


def cut_tokenizer(tokenizer_json, ids):
    """Returns a `tokenizer.json` with the chosen entries alone, numbered anew."""
    tokenizer = json.loads(tokenizer_json)
    pieces = {index: piece for piece, index in tokenizer["model"]["vocab"].items()}
    numbers = {old: new for new, old in enumerate(ids)}
    tokenizer["model"]["vocab"] = {pieces[old]: new for old, new in numbers.items()}
    for token in tokenizer["added_tokens"]:
        token["id"] = numbers[token["id"]]
    for part in (tokenizer["post_processor"] or {}).get("special_tokens", {}).values():
        part["ids"] = [numbers[old] for old in part["ids"]]
    for name in LEFTOVERS:
        tokenizer[name] = None
    return json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))


def cut_embeddings(table, ids):
    """Returns the rows of the chosen entries."""
    return table[torch.tensor(ids)].clone()
