#!/usr/bin/env bash
# transformers 4.57.6 reads a ModernBERT configuration that transformers 5 has saved without an error or a warning, and with
# other rotary frequencies: version 5 writes them to `rope_parameters`, which version 4 does not know, so it uses its
# defaults. Tools that pin version 4, such as optimum-onnx 0.1.0, export such a model with wrong logits.
#
# Seen: theta 50000 (global) and 20000 (local) saved by 5.24.0; 160000.0 and 10000.0 read by 4.57.6 (Python 3.11).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 4.57.6 5.24.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet "transformers==$version"
done
cat >"$folder/save.py" <<'PYTHON'
import sys
from transformers import ModernBertConfig

rope = {name: {"rope_type": "default", "rope_theta": theta} for name, theta in [("full_attention", 50000.0), ("sliding_attention", 20000.0)]}
ModernBertConfig(rope_parameters=rope).save_pretrained(sys.argv[1])
PYTHON
cat >"$folder/read.py" <<'PYTHON'
import sys
from transformers import AutoConfig

config = AutoConfig.from_pretrained(sys.argv[1])
thetas = (config.global_rope_theta, config.local_rope_theta)
print(f"global and local theta: {thetas}")
assert thetas == (160000.0, 10000.0), "the behavior has changed"
PYTHON
export TRANSFORMERS_VERBOSITY=error
"$folder/5.24.0/bin/python" "$folder/save.py" "$folder/model"
"$folder/4.57.6/bin/python" "$folder/read.py" "$folder/model"
