"""Tests of whole training runs of a tiny model: `python -m pytest training/tests`."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import make
from model import bert
from models import model
from recipes import RECIPES
from train import processes
from train.loop import Run, Settings

PASSAGES = {f"p{at}": f"w{at} w{at + 1} w3" for at in range(12)}
ENTRY = {"collection": "made", "query": "w1 w2", "documents": list(PASSAGES), "targets": np.linspace(2, -2, 12).tolist()}


def write_start(folder):
    """Writes the model that a run starts from."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{at}" for at in range(35))]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    bert.save(model(), folder / "start", torch.float32)
    (folder / "start" / "tokenizer.json").write_text(tokenizer.to_str())


def train(folder, stop=None, **settings):
    """Runs all steps that remain, or those before step `stop`, and saves the run."""
    settings = Settings(**{"steps": 6, "warmup": 2, "cooldown": 3, "lists": 2, "micro_batch": 8, "max_length": 24, **settings})
    if not (folder / "start").exists():
        write_start(folder)
    run = Run(folder, settings, [ENTRY, {**ENTRY, "query": "w5"}], PASSAGES)
    while run.step < (stop or settings.steps):
        run.train_step()
    run.save()
    return run


def test_a_run_resumes_where_it_stopped(tmp_path):
    """A run that is stopped after some steps and continued ends with the weights of a run that was not stopped."""
    whole = train(tmp_path / "whole", dropout=0.1)
    train(tmp_path / "parts", stop=4, dropout=0.1)
    parts = train(tmp_path / "parts", dropout=0.1)
    assert parts.step == whole.step == 6
    assert all(torch.equal(a, b) for a, b in zip(whole.model.state_dict().values(), parts.model.state_dict().values()))
    assert json.loads((tmp_path / "parts" / "settings.json").read_text())["steps"] == 6


def train_stages(folder):
    """Trains in two stages, of which the second one reads the checkpoint of the first."""
    train(folder, stop=3)
    train(folder)


def distance(first, second):
    return sum((first[name] - second[name]).abs().sum() for name in first)


def test_two_processes_take_the_steps_of_one(tmp_path, monkeypatch):
    one = train(tmp_path / "one").model.state_dict()
    write_start(tmp_path / "two")
    processes.run(2, train_stages, tmp_path / "two")
    two = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)
    apart = distance(one, two["model"])
    assert two["step"] == 6 and apart < 0.05 * distance(one, bert.load(tmp_path / "two" / "start").state_dict())
    # A process that learns from its own lists alone goes another way.
    monkeypatch.setattr(processes, "world_size", lambda: 2)
    monkeypatch.setattr(processes, "average", lambda tensors: None)
    alone = train(tmp_path / "alone").model.state_dict()
    assert distance(one, alone) > 3 * apart


def test_lists_that_cannot_be_shared_equally_are_an_error(monkeypatch):
    monkeypatch.setattr(processes, "world_size", lambda: 3)
    assert processes.shard(["a", "b", "c", "d", "e", "f"]) == ["a", "d"]
    with pytest.raises(ValueError, match="4 lists cannot be shared"):
        processes.shard(["a", "b", "c", "d"])


def test_the_exported_weights_are_a_mean_of_the_last_stages_and_the_start(tmp_path):
    weights = {"stages/0": 100.0, "stages/1": 2.0, "stages/2": 6.0, "start": 8.0}
    for name, value in weights.items():
        constant = model()
        with torch.no_grad():
            for parameter in constant.parameters():
                parameter.fill_(value)
        bert.save(constant, tmp_path / name, torch.float32)
    settings = Settings(steps=1)
    recipe = replace(RECIPES["default-refined"], stages=(settings,) * 3, averaged_stages=2, start_share=0.25)
    exported = make.trained_model(tmp_path, recipe)
    assert all(torch.all(value == 5.0) for value in exported.parameters())
