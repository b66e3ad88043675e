#!/usr/bin/env bash
# ir_measures 0.4.3 computes RR and RR@k with different providers, and the two order tied scores differently.
#
# RR goes to pytrec_eval, which orders equal scores by falling document id, as trec_eval does. RR@k goes to another
# provider, which orders them by rising id. So for a run with ties, RR@k can exceed RR, though a cut-off can only lower
# the reciprocal rank. Measures of one run that are compared with each other must come from one provider.
#
# Seen: RR 0.333, RR@10 1.000 for three tied documents with the first one relevant (ir_measures 0.4.3, pytrec-eval-terrier
# 0.5.11, Python 3.11).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ir_measures==0.4.3 pytrec-eval-terrier==0.5.11
"$folder/venv/bin/python" - <<'PYTHON'
import ir_measures
from ir_measures import RR

qrels, run = {"q": {"a": 1}}, {"q": {"a": 1.0, "b": 1.0, "c": 1.0}}
whole, cut = (ir_measures.calc_aggregate([measure], qrels, run)[measure] for measure in (RR, RR @ 10))
print(f"RR {whole:.3f}, RR@10 {cut:.3f}")
assert abs(whole - 1 / 3) < 1e-9 and cut == 1.0, "the behavior has changed"
PYTHON
