"""Turns lists of pairs into padded batches of a similar length."""

import random

import torch


class PairEncoder:
    """Encodes pairs as `[CLS] query [SEP] document [SEP]`, and remembers the ids of each text."""

    def __init__(self, tokenizer, max_length):
        self.tokenizer, self.max_length = tokenizer, max_length
        self.cls, self.sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
        self.ids = {}

    def of_text(self, text):
        """Returns the ids of a text without special tokens."""
        if text not in self.ids:
            ids = self.tokenizer.encode(text, add_special_tokens=False).ids[: self.max_length]
            self.ids[text] = torch.tensor(ids, dtype=torch.int32)
        return self.ids[text]

    def pair(self, query, document):
        """Returns the ids of a pair and the length of its first part."""
        query = self.of_text(query)[: self.max_length // 2]
        room = self.max_length - 3 - len(query)
        ids = [torch.tensor([self.cls]), query, torch.tensor([self.sep]), self.of_text(document)[:room], torch.tensor([self.sep])]
        return torch.cat(ids), len(query) + 2


def pad(pairs):
    """Returns ids, token types and lengths of pairs, padded to a multiple of 8."""
    lengths = torch.tensor([len(ids) for ids, _ in pairs])
    width = -(-int(lengths.max()) // 8) * 8
    ids = torch.zeros(len(pairs), width, dtype=torch.long)
    types = torch.zeros(len(pairs), width, dtype=torch.long)
    for row, (tokens, first) in enumerate(pairs):
        ids[row, : len(tokens)] = tokens
        types[row, first : len(tokens)] = 1
    return ids, types, lengths


def score(model, pairs, size):
    """Runs the model on pairs in batches of `size` with similar lengths; returns logits in the order of the pairs."""
    order = sorted(range(len(pairs)), key=lambda index: len(pairs[index][0]))
    parts = [model(*pad([pairs[index] for index in order[start : start + size]])) for start in range(0, len(order), size)]
    inverse = torch.empty(len(order), dtype=torch.long)
    inverse[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(parts)[inverse]


def order_of_epoch(count, epoch, seed):
    """Returns the order of the lists in an epoch. It depends on the seed and the epoch alone, so a run can resume."""
    order = list(range(count))
    random.Random(f"{seed}-{epoch}").shuffle(order)
    return order
