#!/usr/bin/env bash
# transformers 5.24 ignores `add_bos_token` and `add_eos_token` of tokenizer_config.json if there is a tokenizer.json;
# transformers 4.57 applies them for LlamaTokenizer.
#
# The flags are still in the configuration of many models, and a checkpoint whose tokenizer.json has no post-processor
# gets other token ids from the two versions, without an error or a warning. What counts in version 5 is the
# post-processor in tokenizer.json alone.
#
# Seen: the text "ab", where <s> is token 0 and </s> is token 1, gives [0, 3, 4, 1] in transformers 4.57.3 and [3, 4] in
# 5.24.0 (Python 3.11, tokenizers as each version pins it).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/ids.py" <<'PYTHON'
import json
import pathlib
import sys

from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, __version__

model = pathlib.Path(sys.argv[1])
model.mkdir()
vocabulary = {"<s>": 0, "</s>": 1, "<unk>": 2, "a": 3, "b": 4}
tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
tokenizer.add_special_tokens(["<s>", "</s>", "<unk>"])
tokenizer.save(str(model / "tokenizer.json"))
tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
flags = {"add_bos_token": True, "add_eos_token": True}
(model / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer", **tokens, **flags}))
ids = AutoTokenizer.from_pretrained(model)("ab")["input_ids"]
print(f"transformers {__version__}: {ids}")
assert ids == json.loads(sys.argv[2]), "the behavior has changed"
PYTHON

# ids_with VERSION EXPECTED
ids_with() {
  python3 -m venv "$folder/$1"
  "$folder/$1/bin/pip" install --quiet "transformers==$1"
  "$folder/$1/bin/python" "$folder/ids.py" "$folder/model-$1" "$2" 2>/dev/null
}

ids_with 4.57.3 "[0, 3, 4, 1]"
ids_with 5.24.0 "[3, 4]"
