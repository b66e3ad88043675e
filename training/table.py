"""Prints the table of the model cards: nDCG@10 of models as shipped, through the built `ranklet`.

    python training/table.py --data DIR --work DIR NAME=FOLDER...

nDCG has linear gain; intervals are 95 % bootstrap intervals over queries, and p-values are those of paired permutation
tests against the first model. `default` as a folder is the embedded model.
"""

import argparse
import json
import subprocess
from pathlib import Path

from evaluate import reported

MEASURE = "ndcg@10"


def evaluate(ranklet, run, judgments, first, second=None):
    """Returns the report of `ranklet eval` on one model, or on two that are compared. "default" is the embedded model."""
    command = [ranklet, "eval", "--run", run, "--qrels", judgments, "--measures", MEASURE, "--json"]
    if first != "default":
        command += ["--model", first]
    if second is not None:
        command += ["--compare", second]
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def figure(report, system):
    """Returns the mean of a system with its interval."""
    low, high = report["intervals"][system][MEASURE]
    return f"{report[system][MEASURE]:.4f} ({low:.3f} to {high:.3f})"


def difference(report):
    """Returns the difference of the second model from the first with its interval and p-value."""
    found = next(entry for entry in report["comparisons"] if entry["systems"] == ["reranked", "compared"])
    low, high = found["interval"]
    return f"{found['difference']:+.4f} ({low:+.3f} to {high:+.3f}, p {found['p_value']:.3f})"


def rows(ranklet, models, paths):
    """Yields the table's rows: BM25, each model, and its difference from the first model."""
    first, *others = models
    alone = {name: evaluate(ranklet, *path, models[first]) for name, path in paths.items()}
    yield ["BM25", *(figure(report, "first_stage") for report in alone.values())]
    yield [first, *(figure(report, "reranked") for report in alone.values())]
    for other in others:
        reports = [evaluate(ranklet, *path, models[first], models[other]) for path in paths.values()]
        yield [other, *(figure(report, "compared") for report in reports)]
        yield [f"{other} less {first}", *(difference(report) for report in reports)]


def main():
    """Evaluates all models on all collections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--ranklet", type=Path, default=Path("target/release/ranklet"))
    parser.add_argument("models", nargs="+", metavar="NAME=FOLDER")
    options = parser.parse_args()
    models = dict(model.split("=", 1) for model in options.models)
    paths = reported.write(options.data, options.work)
    print("| model | " + " | ".join(paths) + " |")
    print("|---" * (len(paths) + 1) + "|")
    for row in rows(options.ranklet, models, paths):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
