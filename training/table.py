"""Prints the table of the model cards: nDCG@10 of models as shipped, through the built `ranklet`.

    python training/table.py --data DIR --work DIR NAME=FOLDER...

nDCG has linear gain; `--measure` chooses another of `ranklet eval`, such as mrr@10. Intervals are 95 % bootstrap intervals over queries, and p-values are those of paired permutation
tests against the first model. `default` as a folder is the embedded model. `--development` takes the development queries and
the hard questions instead of the report's collections.

With `--calibration` it prints the expected calibration error instead: of the model's own probabilities, and after fitting
scale and offset to the development pairs. Passages of TREC DL21 are relevant from gain 2 on, and only judged ones count.
"""

import argparse
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data import written
from data.sources import read_all
from evaluate import reported, runs
from evaluate.calibration import expected_error, fit, sigmoid
from evaluate.development import development_sets, hard_questions, labeled_pairs, run_and_judgments

# The lowest gain of a relevant document, where it is not 1.
MIN_GAINS = {"TREC DL21": 2}


@dataclass(frozen=True)
class Evaluation:
    """Runs `ranklet eval` with one measure."""

    ranklet: Path
    measure: str

    def report(self, run, judgments, first, second=None):
        """Returns the report on one model, or on two that are compared. "default" is the embedded model."""
        command = [self.ranklet, "eval", "--run", run, "--qrels", judgments, "--measures", self.measure, "--json"]
        if first != "default":
            command += ["--model", first]
        if second is not None:
            command += ["--compare", second]
        done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    def figure(self, report, system):
        """Returns the mean of a system with its interval."""
        low, high = report["intervals"][system][self.measure]
        return f"{report[system][self.measure]:.4f} ({low:.3f} to {high:.3f})"

    def rows(self, models, paths):
        """Yields the table's rows: BM25, each model, and its difference from the first model."""
        first, *others = models
        alone = {name: self.report(*path, models[first]) for name, path in paths.items()}
        yield ["BM25", *(self.figure(report, "first_stage") for report in alone.values())]
        yield [first, *(self.figure(report, "reranked") for report in alone.values())]
        for other in others:
            reports = [self.report(*path, models[first], models[other]) for path in paths.values()]
            yield [other, *(self.figure(report, "compared") for report in reports)]
            yield [f"{other} less {first}", *(difference(report) for report in reports)]


def difference(report):
    """Returns the difference of the second model from the first with its interval and p-value."""
    found = next(entry for entry in report["comparisons"] if entry["systems"] == ["reranked", "compared"])
    low, high = found["interval"]
    return f"{found['difference']:+.4f} ({low:+.3f} to {high:+.3f}, p {found['p_value']:.3f})"


def development(data):
    """Returns the runs and judgments of the development queries and of the hard questions, by collection."""
    sets = {**development_sets(read_all(data)), "hard questions": hard_questions(written.collection())}
    return {name: run_and_judgments(entries) for name, entries in sets.items()}


def logits(ranklet, model, pairs):
    """Returns the logits of `(query, text)` pairs."""
    command = [str(ranklet), "score", "--pairs", "-", "--scores", "raw"]
    command += [] if model == "default" else ["--model", model]
    lines = "\n".join(json.dumps(pair) for pair in pairs)
    done = subprocess.run(command, input=lines, check=True, stdout=subprocess.PIPE, text=True)
    return [float(line) for line in done.stdout.split()]


def judged_pairs(run_path, judgments_path, min_gain):
    """Returns the judged pairs of a run, and whether each is relevant."""
    gains = {}
    for line in judgments_path.read_text().splitlines():
        query, _, document, gain = line.split()
        gains[query, document] = int(gain)
    pairs, labels = [], []
    for entry in json.loads(run_path.read_text()):
        for hit in entry["hits"]:
            gain = gains.get((str(hit["qid"]), hit["docid"]))
            if gain is not None:
                pairs.append((entry["query"], hit["content"]))
                labels.append(int(gain >= min_gain))
    return pairs, labels


def calibration_rows(ranklet, models, paths, data):
    """Yields the calibration errors of each model, before and after fitting."""
    fitted_on = labeled_pairs(development_sets(read_all(data)))
    held_out = [judged_pairs(*path, MIN_GAINS.get(name, 1)) for name, path in paths.items()]
    for name, model in models.items():
        scale, offset = fit(logits(ranklet, model, [pair[:2] for pair in fitted_on]), [gain for *_, gain in fitted_on])
        before, after = [], []
        for pairs, labels in held_out:
            values = np.array(logits(ranklet, model, pairs))
            before.append(f"{expected_error(sigmoid(values), labels):.3f}")
            after.append(f"{expected_error(sigmoid(scale * values + offset), labels):.3f}")
        yield [name, *before]
        yield [f"{name}, sigmoid({scale:.2f} * logit {offset:+.2f})", *after]


def main():
    """Evaluates all models on all collections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--ranklet", type=Path, default=Path("target/release/ranklet"))
    parser.add_argument("--measure", default="ndcg@10", help="one of `ranklet eval` (default: ndcg@10)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--development", action="store_true", help="take the queries that choose settings")
    kind.add_argument("--calibration", action="store_true", help="print calibration errors")
    parser.add_argument("models", nargs="+", metavar="NAME=FOLDER")
    options = parser.parse_args()
    models = dict(model.split("=", 1) for model in options.models)
    paths = runs.write(development(options.data) if options.development else reported.read(options.data), options.work)
    print("| model | " + " | ".join(paths) + " |")
    print("|---" * (len(paths) + 1) + "|")
    make_rows = Evaluation(options.ranklet, options.measure).rows(models, paths)
    if options.calibration:
        make_rows = calibration_rows(options.ranklet, models, paths, options.data)
    for row in make_rows:
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
