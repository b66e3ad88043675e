"""Writes collections as the files that `ranklet eval` reads."""

import json


def write(collections, folder):
    """Writes `{name: (run, judgments)}` to a folder; returns the paths of each one's run and judgments by name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, (run, judgments) in collections.items():
        stem = name.lower().replace(" ", "-")
        paths[name] = (folder / f"{stem}.json", folder / f"{stem}.txt")
        paths[name][0].write_text(json.dumps(run))
        paths[name][1].write_text(judgments)
    return paths
