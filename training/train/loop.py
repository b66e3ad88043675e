"""Trains a model by steps. A run can be stopped at any moment and continues from its last checkpoint."""

import json
import random
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer

from data.lists import sample
from model import bert
from model.bert import Linear
from model.rounding import PreparedWeights
from train import processes
from train.batches import PairEncoder, order_of_epoch, pad
from train.losses import total

SAVE_EVERY = 100


@dataclass(frozen=True)
class Settings:
    """What a run does. It is stored with the run, and a run resumes with the settings that it is given."""

    steps: int
    # The learning rate rises over the first `warmup` steps of a run, and falls to zero over the last `cooldown` steps of a stage.
    warmup: int = 60
    cooldown: int = 600
    learning_rate: float = 1e-4
    head_learning_rate: float = 2e-4
    weight_decay: float = 0.01
    lists: int = 8
    micro_batch: int = 16
    max_length: int = 144
    dropout: float = 0.0
    rounding: str = ""
    # From this step on weights are rounded.
    round_from: int = 0
    average: float = 0.995
    seed: int = 20261129
    repeat: dict = field(default_factory=dict)
    loss: dict = field(default_factory=lambda: {"temperature": 1.0, "listwise": 1.0, "margins": 0.05, "level": 0.05})


def learning_rate_factor(step, settings):
    """The factor of the learning rates at a step."""
    rise = min(1.0, (step + 1) / settings.warmup)
    fall = min(1.0, (settings.steps - step) / max(1, settings.cooldown))
    return rise * fall


def repeated(entries, repeat):
    """Returns the lists of an epoch: a collection with few queries counts several times, and one with 0.25 has every fourth list."""
    chosen, counts = [], Counter()
    for entry in entries:
        name = entry["collection"]
        times, at = repeat.get(name, 1), counts[name]
        chosen += [entry] * (int((at + 1) * times) - int(at * times))
        counts[name] += 1
    return chosen


class Run:
    """The state of a training run in a folder."""

    def __init__(self, folder, settings, entries, passages):
        self.folder, self.settings, self.passages = Path(folder), settings, passages
        self.entries = repeated(entries, settings.repeat)
        self.model = bert.load(self.folder / "start")
        self.model.dropout = settings.dropout
        self.model.train()
        tokenizer = Tokenizer.from_file(str(self.folder / "start" / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.encoder = PairEncoder(tokenizer, settings.max_length)
        self.linears = [module for module in self.model.modules() if isinstance(module, Linear)]
        self.optimizer = self.make_optimizer()
        self.averages = {name: value.detach().clone() for name, value in self.model.named_parameters() if value.requires_grad}
        self.step, self.mean_loss = 0, 0.0
        self.resume()

    def make_optimizer(self):
        """AdamW with a larger learning rate for the head, and no decay of biases and norms."""
        settings = self.settings
        groups = {}
        for name, value in self.model.named_parameters():
            if value.requires_grad:
                rate = settings.head_learning_rate if name.startswith(("pooler", "classifier")) else settings.learning_rate
                groups.setdefault((rate, settings.weight_decay if value.dim() > 1 else 0.0), []).append(value)
        groups = [{"params": values, "base": rate, "weight_decay": decay} for (rate, decay), values in groups.items()]
        return torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), fused=True)

    def resume(self):
        """Loads the last checkpoint, if there is one."""
        path = self.folder / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            for group, fresh in zip(self.optimizer.param_groups, self.make_optimizer().param_groups):
                group["base"] = fresh["base"]
            self.averages = state["averages"]
            self.step, self.mean_loss = state["step"], state["mean_loss"]
            torch.set_rng_state(state["random"])
        else:
            torch.manual_seed(self.settings.seed)

    def save(self):
        """Writes the checkpoint, whole or not at all. All processes have the same state, so the first one writes it.

        The others wait, because each reads the checkpoint at the start of the next stage.
        """
        if processes.rank() == 0:
            self.write_checkpoint()
        processes.wait()

    def write_checkpoint(self):
        """Writes the state to a file and gives it the checkpoint's name."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averages": self.averages,
            "step": self.step,
            "mean_loss": self.mean_loss,
            "random": torch.get_rng_state(),
        }
        temporary = self.folder / "checkpoint.tmp"
        torch.save(state, temporary)
        temporary.rename(self.folder / "checkpoint.pt")
        (self.folder / "settings.json").write_text(json.dumps(asdict(self.settings), indent=2) + "\n")

    def lists_of_step(self):
        """Returns the entries of this step with the indices of their documents; they depend on the step alone."""
        count, size = len(self.entries), self.settings.lists
        chosen = []
        for at in range(self.step * size, (self.step + 1) * size):
            epoch, place = divmod(at, count)
            if getattr(self, "epoch", None) != epoch:
                self.epoch, self.order = epoch, order_of_epoch(count, epoch, self.settings.seed)
            entry = self.entries[self.order[place]]
            chosen.append((entry, sample(entry, random.Random(f"{self.settings.seed}-{at}"))))
        return chosen

    def pairs_of(self, lists):
        """Returns the encoded pairs of lists."""
        return [self.encoder.pair(entry["query"], self.passages[entry["documents"][at]]) for entry, indices in lists for at in indices]

    def rounding(self):
        """The rounding of the weights at this step."""
        return self.settings.rounding if self.step >= self.settings.round_from else ""

    def loss(self, lists):
        """Returns the loss of a step and its number of pairs."""
        targets = torch.tensor([[entry["targets"][at] for at in indices] for entry, indices in lists])
        with torch.autocast("cpu", torch.bfloat16), PreparedWeights(self.linears, self.rounding(), torch.bfloat16):
            logits = self.forward(self.pairs_of(lists)).view_as(targets)
        return total(logits, targets, self.settings.loss), targets.numel()

    def train_step(self):
        """Runs one step; returns its loss and this process's number of pairs."""
        settings = self.settings
        loss, pairs = self.loss(processes.shard(self.lists_of_step()))
        values = [value for group in self.optimizer.param_groups for value in group["params"]]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        processes.average([value.grad for value in values if value.grad is not None] + [loss])
        torch.nn.utils.clip_grad_norm_(values, 1.0)
        factor = learning_rate_factor(self.step, settings)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        self.optimizer.step()
        self.update_averages()
        self.step += 1
        return loss.item(), pairs

    def forward(self, pairs):
        """Returns the logits of pairs, computed in batches of similar lengths."""
        order = sorted(range(len(pairs)), key=lambda at: len(pairs[at][0]))
        size = self.settings.micro_batch
        parts = [self.model(*pad([pairs[at] for at in order[start : start + size]])) for start in range(0, len(order), size)]
        inverse = torch.empty(len(order), dtype=torch.long)
        inverse[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[inverse]

    @torch.no_grad()
    def update_averages(self):
        """Moves the averaged weights towards the current ones, faster in the first steps."""
        weight = 1 - min(self.settings.average, (self.step + 1) / (self.step + 10))
        for name, value in self.model.named_parameters():
            if value.requires_grad:
                self.averages[name].lerp_(value, weight)

    def averaged_model(self):
        """Returns a copy of the model with the averaged weights."""
        model = bert.CrossEncoder(self.model.config)
        model.load_state_dict({**self.model.state_dict(), **self.averages})
        return model.eval()

    def train(self, log):
        """Runs the remaining steps."""
        started, pairs = time.process_time(), 0
        while self.step < self.settings.steps:
            loss, count = self.train_step()
            pairs += count
            self.mean_loss = loss if self.step == 1 else self.mean_loss + 0.02 * (loss - self.mean_loss)
            if self.step % 20 == 0:
                rate = pairs / (time.process_time() - started)
                log(f"step {self.step} loss {self.mean_loss:.4f}, {rate:.1f} pairs per CPU second")
            if self.step % SAVE_EVERY == 0 or self.step == self.settings.steps:
                self.save()
