"""Make checkpoints for the bench and export them to ONNX.

    python checkpoints.py random TEMPLATE OUT LAYERS HIDDEN HEADS INTERMEDIATE
    python checkpoints.py dequantize Q8 OUT
    python checkpoints.py export FOLDER

`random` writes a q8 checkpoint of any BERT shape with random weights, because
speed does not depend on their values and real files are too large for the
repository. `dequantize` writes the f32 twin of a q8 checkpoint. `export` adds
onnx/model.onnx and onnx/model_quantized.onnx to an f32 checkpoint, by the steps
of transformers.js's conversion script: PyTorch's exporter, onnxslim, and
dynamic quantization per channel with 7-bit weights.
"""

import json
import os
import shutil
import sys
import warnings
from pathlib import Path

# All files are local.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TQDM_DISABLE"] = "1"
warnings.filterwarnings("ignore")

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

SEED = 20261123
WEIGHTS = "model.safetensors"
# The opset of transformers.js's conversion script for BERT.
OPSET = 14
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# Standard deviations of 7-bit and 8-bit codes, well within their ranges.
MATRIX_STD, TABLE_STD = 20.0, 40.0
# The standard deviation of BERT's initialization.
WEIGHT_STD = 0.02


def read_weights(folder):
    """Return the tensors of a checkpoint by name, and its metadata."""
    with safe_open(folder / WEIGHTS, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def copy_small_files(source, target):
    """Copy all files except the weights."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob("*.json"):
        shutil.copyfile(path, target / path.name)


def dequantize(source, target):
    """Write a q8 checkpoint in f32."""
    tensors, _ = read_weights(source)
    plain = {}
    for name, tensor in tensors.items():
        if name.endswith((".scale", ".input_scale")):
            continue
        if tensor.dtype in (np.uint8, np.int8):
            offset = 64.0 if tensor.dtype == np.uint8 else 0.0
            scale = tensors[f"{name}.scale"][:, None]
            inputs = tensors.get(f"{name}.input_scale", np.float32(1.0))
            tensor = (tensor.astype(np.float32) - np.float32(offset)) * scale / inputs
        plain[name] = tensor
    copy_small_files(source, target)
    save_file(plain, target / WEIGHTS, {"format": "pt"})


def random_tensor(name, template, shape, rng):
    """Return random values with the type and the distribution of a template tensor."""
    values = rng.standard_normal(shape, dtype=np.float32)
    if template.dtype == np.uint8:
        return np.clip(values * MATRIX_STD + 64, 0, 127).astype(np.uint8)
    if template.dtype == np.int8:
        return np.clip(values * TABLE_STD, -127, 127).astype(np.int8)
    if name.endswith(".input_scale") or name.endswith("LayerNorm.weight"):
        return np.ones(shape, np.float32)
    if name.endswith(".bias"):
        return np.zeros(shape, np.float32)
    return values * np.float32(WEIGHT_STD)


def random_checkpoint(template, target, layers, hidden, heads, intermediate):
    """Write a q8 checkpoint of this shape; everything else is from the template."""
    copy_small_files(template, target)
    config = json.loads((template / "config.json").read_text())
    sizes = {config["hidden_size"]: hidden, config["intermediate_size"]: intermediate}
    config.update(
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=intermediate,
    )
    (target / "config.json").write_text(json.dumps(config, indent=2))

    template_tensors, metadata = read_weights(template)
    # Format and version are those of the template; its golden logits do not apply.
    metadata_json = json.loads(metadata["ranklet"])
    metadata_json.update(source=f"random weights, seed {SEED}", golden={"pairs": []})
    names = {name: name for name in template_tensors if ".layer." not in name}
    for layer in range(layers):
        names.update({n.replace(".layer.0.", f".layer.{layer}."): n for n in template_tensors if ".layer.0." in n})

    rng = np.random.default_rng(SEED)
    tensors = {}
    for name, like in names.items():
        if name.endswith(".scale"):
            continue
        shape = [sizes.get(size, size) for size in template_tensors[like].shape]
        tensors[name] = random_tensor(name, template_tensors[like], shape, rng)
        if f"{like}.scale" in template_tensors:
            spread = MATRIX_STD if template_tensors[like].dtype == np.uint8 else TABLE_STD
            tensors[f"{name}.scale"] = np.full(shape[0], WEIGHT_STD / spread, np.float32)
    save_file(tensors, target / WEIGHTS, {"ranklet": json.dumps(metadata_json)})


def export(folder):
    """Add the two ONNX files that transformers.js loads."""
    import onnx
    import onnxslim
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModelForSequenceClassification

    loaded = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")

    class Logits(torch.nn.Module):
        """The model with positional inputs and the logits as its only output."""

        def __init__(self):
            super().__init__()
            self.model = loaded

        def forward(self, *inputs):
            return self.model(**dict(zip(INPUTS, inputs))).logits

    # Two rows, one of them padded, so that the exporter does not treat sizes and mask as constants.
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    example = (mask * 100, mask, mask * 0)
    (folder / "onnx").mkdir(exist_ok=True)
    plain, quantized = folder / "onnx" / "model.onnx", folder / "onnx" / "model_quantized.onnx"
    torch.onnx.export(
        Logits().eval(),
        example,
        str(plain),
        dynamo=False,
        opset_version=OPSET,
        input_names=list(INPUTS),
        output_names=["logits"],
        dynamic_axes={**{name: {0: "batch", 1: "tokens"} for name in INPUTS}, "logits": {0: "batch"}},
    )
    onnx.save(onnxslim.slim(str(plain)), plain)
    quantize_dynamic(
        plain,
        quantized,
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True},
    )


def main(command, folder, *rest):
    """Run one command."""
    if command == "random":
        random_checkpoint(Path(folder), Path(rest[0]), *map(int, rest[1:]))
    elif command == "dequantize":
        dequantize(Path(folder), Path(rest[0]))
    elif command == "export":
        export(Path(folder))
    else:
        sys.exit(f"checkpoints.py: {command} is not random, dequantize or export")


if __name__ == "__main__":
    main(*sys.argv[1:])
