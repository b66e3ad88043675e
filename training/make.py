"""Makes a model, in stages that can be repeated and resumed.

    python training/make.py --data DIR --packages DIR --start DIR --work DIR all small

The stages, which can be named instead of `all`: `lists` (for all models), `distill`, `train`, `export`.

`--data` has the public collections, `--packages` the installed packages with the bi-encoders, `--start` the cross-encoder
to start from. `--work` gets everything else; delete a part of it to make that part anew.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

# Before transformers is imported: all files are local.
os.environ["HF_HUB_OFFLINE"] = "1"

from data import held_out, lists, sentences, written
from data.queries import from_passages
from data.sources import Collection, Query, read_all, wikiqa_dev
from evaluate import reported
from evaluate.calibration import fit, sigmoid
from evaluate.development import development_sets, measure, pair_scorer
from model import bert, vocabulary
from model.student import mean, round_embeddings, scale_logits, student
from recipes import RECIPES
from teachers import cross
from teachers.encoder import ENCODERS, embeddings
from train import processes
from train.distill import Distillation
from train.loop import Run

SEED = 20261129
# Lists to which logits are fitted.
FITTED_LISTS = 250
# Queries made from the passages of TREC DL22.
MADE_QUERIES = 20000
# Collections of short documents, which the cross-encoder scores too: it is good at them, and fast.
SHORT = ("wikiqa", "wikiqa-dev", "sentences")
TOKENIZER_FILES = ("tokenizer_config.json", "config_sentence_transformers.json")


def log_to(path):
    """Returns a function that prints a line and appends it to a file with the time."""

    def log(line):
        text = f"{time.strftime('%H:%M:%S')} {line}"
        print(text, flush=True)
        with open(path, "a") as file:
            file.write(text + "\n")

    return log


def read_pools(data):
    """Returns the collections; TREC DL22 gets a twin with queries made from its passages, and one with its sentences."""
    collections = read_all(data)
    web = next(collection for collection in collections if collection.name == "dl22")
    made = Collection("made", web.passages)
    texts = from_passages(web.passages.values(), MADE_QUERIES, random.Random(SEED))
    made.queries = [Query(text) for text in texts]
    return [*collections, made, sentences.collection(web, SEED), wikiqa_dev(data)]


def cross_of(options):
    """Returns a function that computes logits of pairs with the cross-encoder that training starts from."""
    return lambda pairs: cross.logits(options.ranklet, options.start, options.work, pairs)


def embed_pool(options, pool, encoder):
    """Returns a bi-encoder's embeddings of a collection's passages and of its queries."""
    passages = embeddings(encoder, options.packages, options.work, list(pool.passages.values()))
    return passages, embeddings(encoder, options.packages, options.work, [query.text for query in pool.queries], True)


def without_held_out(options, collection):
    """Returns the written collection without what is near a text of the report."""
    stories = written.reported()
    texts = held_out.own_texts() + reported.queries(options.data)
    texts += [*stories.passages.values(), *(query.text for query in stories.queries)]
    embedded = embeddings(ENCODERS["minilm"], options.packages, options.work, texts)
    kept = held_out.without_near(collection, *embed_pool(options, collection, ENCODERS["minilm"]), embedded)
    print(f"{len(kept.passages)} of {len(collection.passages)} written passages are far from the report's", flush=True)
    return kept


def make_lists(options):
    """Embeds all texts and writes `lists.jsonl` and `passages.json`."""
    pools = [*read_pools(options.data), without_held_out(options, written.collection())]
    entries, passages = [], {}
    for pool in pools:
        embedded = {name: embed_pool(options, pool, encoder) for name, encoder in ENCODERS.items()}
        tables = {name: of_passages for name, (of_passages, _) in embedded.items()}
        asked = {name: of_queries for name, (_, of_queries) in embedded.items()}
        entries += lists.build(pool, tables, asked, SEED, cross_of(options) if pool.name in SHORT else None)
        passages.update(pool.passages)
    lists.write(options.work / "lists.jsonl", entries)
    (options.work / "passages.json").write_text(json.dumps(passages, ensure_ascii=False))
    print(f"{len(entries)} queries, {len(passages)} passages")


def copy_tokenizer(source, target, tokenizer=None):
    """Copies the tokenizer's files, or writes another `tokenizer.json`."""
    target.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        shutil.copyfile(source / name, target / name)
    (target / "tokenizer.json").write_text(tokenizer or (source / "tokenizer.json").read_text())


def training_data(options):
    """Returns the entries to train on and the passages by id."""
    entries = [entry for entry in lists.read(options.work / "lists.jsonl") if not entry["development"]]
    return entries, json.loads((options.work / "passages.json").read_text())


def distill(options, recipe):
    """Repairs a model without some of its layers; writes it to `distilled/model`. Models with all layers need none."""
    if recipe.distillation is None:
        return
    folder = options.work / recipe.name / "distilled"
    teacher = bert.load(options.start)
    if not (folder / "start" / "tokenizer.json").exists():
        model = student(teacher, recipe.layers)
        round_embeddings(model, recipe.embeddings)
        bert.save(model, folder / "start", torch.float32)
        copy_tokenizer(options.start, folder / "start")
    run = Distillation(folder, recipe.distillation, *training_data(options), teacher)
    run.train(log_to(folder / "log.txt"))
    bert.save(run.averaged_model(), folder / "model", torch.float32)
    copy_tokenizer(options.start, folder / "model")


def fit_logits(model, tokenizer_path, entries, passages):
    """Scales the logits to those targets that a sample of the lists has."""
    rng = random.Random(SEED)
    sampled = [(entry, at) for entry in rng.sample(entries, FITTED_LISTS) for at in lists.sample(entry, rng)]
    pairs = [(entry["query"], passages[entry["documents"][at]]) for entry, at in sampled]
    scale, offset = np.polyfit(pair_scorer(model, tokenizer_path)(pairs), [entry["targets"][at] for entry, at in sampled], 1)
    scale_logits(model, scale, offset)


def make_start(options, recipe):
    """Writes the model that training starts from, with the tokenizer of its vocabulary."""
    folder = options.work / recipe.name
    source = options.start if recipe.distillation is None else folder / "distilled" / "model"
    tokenizer, chosen = None, None
    if recipe.vocabulary is not None:
        tokenizer = (source / "tokenizer.json").read_text()
        passages = json.loads((options.work / "passages.json").read_text())
        # The vocabulary of the shipped file is older than the written passages.
        texts = [text for name, text in passages.items() if not name.startswith(written.PREFIX)]
        chosen = vocabulary.chosen_pieces(tokenizer, texts, recipe.vocabulary)
        tokenizer = vocabulary.cut_tokenizer(tokenizer, chosen)
    model = bert.load(source)
    model = student(model, range(len(model.layers)), chosen)
    if recipe.fit_logits:
        fit_logits(model.eval(), source / "tokenizer.json", *training_data(options))
    if recipe.embeddings:
        round_embeddings(model, recipe.embeddings)
    bert.save(model, folder / "start", torch.float32)
    copy_tokenizer(source, folder / "start", tokenizer)


def train(options, recipe):
    """Trains until the last step of the recipe's last stage, from the last checkpoint if there is one."""
    if not (options.work / recipe.name / "start" / "tokenizer.json").exists():
        make_start(options, recipe)
    processes.run(options.processes, run_stages, options, recipe)


def run_stages(options, recipe):
    """Runs the stages of a recipe. If several processes train, each computes its share of every step's lists."""
    folder, data = options.work / recipe.name, training_data(options)
    log = log_to(folder / "log.txt") if processes.rank() == 0 else lambda line: None
    for number, settings in enumerate(recipe.stages):
        run = Run(folder, settings, *data)
        run.train(log)
        # A run that has resumed in a later stage has more steps.
        if run.step == settings.steps and processes.rank() == 0:
            bert.save(run.averaged_model(), folder / "stages" / str(number), torch.float32)


def trained_model(folder, recipe):
    """Returns the mean of the averaged weights at the ends of the last stages and of the weights that training started from."""
    last = range(len(recipe.stages))[-recipe.averaged_stages :]
    model, *others = (bert.load(folder / "stages" / str(number)) for number in last)
    for count, other in enumerate(others, 2):
        mean(model, other, 1 / count)
    return mean(model, bert.load(folder / "start"), recipe.start_share).eval()


def calibrate(model, tokenizer_path, options, sets):
    """Scales the last layer, so that the sigmoid of a logit is the probability that the first default model gives, on average.

    Thresholds then keep their meaning. Labels would be no better guide: see TRIED.md.
    """
    pairs = [(query, text) for entries in sets.values() for query, texts, *_ in entries for text in texts]
    wanted = pair_scorer(bert.load(options.start).eval(), options.start / "tokenizer.json")(pairs)
    scale, offset = fit(pair_scorer(model, tokenizer_path)(pairs), sigmoid(wanted))
    scale_logits(model, scale, offset)
    print(f"calibration: {scale:.3f} * logit + {offset:.3f}, from {len(pairs)} pairs", flush=True)


def export(options, recipe):
    """Writes the averaged weights in f16 to `model/`, and the quantized file to `quantized/`, with the built `ranklet`."""
    folder = options.work / recipe.name
    model = trained_model(folder, recipe)
    tokenizer = folder / "start" / "tokenizer.json"
    sets = development_sets(read_all(options.data))
    print(json.dumps(measure(model, tokenizer, {**sets, **development_sets([written.collection()])})), flush=True)
    calibrate(model, tokenizer, options, sets)
    bert.save(model, folder / "model")
    copy_tokenizer(folder / "start", folder / "model")
    command = [options.ranklet, "quantize", "--model", folder / "model", "--dtype", recipe.dtype, "--out", folder / "quantized"]
    subprocess.run(command, check=True)


STAGES = {"distill": distill, "train": train, "export": export}


def main():
    """Runs the stage that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--ranklet", type=Path, default=Path("target/release/ranklet"))
    parser.add_argument("--threads", type=int, default=1, help="more than one only on idle cores")
    parser.add_argument(
        "--processes", type=int, default=1, help="number of training processes with one thread each; more than one only on idle cores"
    )
    parser.add_argument("stage", choices=["lists", *STAGES, "all"])
    parser.add_argument("model", nargs="?", choices=list(RECIPES))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    if options.stage == "lists" or options.stage == "all" and not (options.work / "lists.jsonl").exists():
        make_lists(options)
    if options.stage == "lists":
        return
    if options.model is None:
        parser.error("name a model")
    for name, stage in STAGES.items():
        if options.stage in (name, "all"):
            stage(options, RECIPES[options.model])


if __name__ == "__main__":
    main()
