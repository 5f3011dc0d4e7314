"""Traces a transformers model in the format of `llmc logits --trace --trace-values`, for `llmc compare-trace`.

    trace_transformers.py MODEL OUT --tokens 1,2,3 [--model-order]

MODEL is a Hugging Face directory, or a GGUF file of architecture llama (dequantized exactly). The model runs in
float32 with eager attention; hooks on its modules see what goes in and out of them, under the names that llmc gives to
the same values. What a family does not have is left out, and compare-trace lists it. Families that only come with code
of their own (InternLM2, Baichuan, DeepSeek) are none of transformers'.

A Llama's GGUF file has the rows of q and k in another order (rotary pairs side by side): with one as MODEL the columns
of q, k and what is rotated are put in that order, too; --model-order leaves them as transformers has them.
"""
import argparse
import json
import pathlib

import numpy as np
import torch
from llama_reference import LlamaFile, hf_model, permute

# Module inside a layer (or outside of one): the values that llmc's importer calls its input and output by. The input
# of a module is where a value without a module of its own shows.
LAYER = {
    "input_layernorm": (None, "attn_in"),
    "self_attn.q_proj": (None, "q"),
    "self_attn.k_proj": (None, "new_k"),
    "self_attn.v_proj": (None, "new_v"),
    "self_attn.qkv_proj": (None, "q new_k new_v"),  # columns side by side
    "self_attn.q_norm": (None, "q_normed"),
    "self_attn.k_norm": (None, "k_normed"),
    "self_attn.o_proj": ("attended", "attn_out"),
    "post_attention_layernorm": ("h_attn", "mlp_in"),
    "mlp.gate_proj": (None, "gate"),
    "mlp.up_proj": (None, "up"),
    "mlp.gate_up_proj": (None, "gate up"),
    "mlp.act_fn": (None, "activated"),
    "mlp.activation_fn": (None, "activated"),
    "mlp.down_proj": ("gated", "mlp_out"),
    "": (None, "h_next"),
}
# The embedding shows where the first layer reads it: some families scale it on the way.
OUTSIDE = {"model.layers.0": ("embedded", None), "model.norm": (None, "last"), "lm_head": (None, "logits")}
BY_HEADS = {"q": "num_attention_heads", "new_k": "num_key_value_heads"}


def load(source):
    if source.is_file():
        return hf_model(LlamaFile(str(source))), True
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager",
                                                 trust_remote_code=False)
    return model.float().eval(), False


class Trace:
    def __init__(self, folder, tokens):
        self.folder, self.tokens, self.records = folder, tokens, []

    def add(self, layer, value, where, rows):
        rows = np.ascontiguousarray(rows, dtype="<f4").reshape(-1, rows.shape[-1])
        assert len(rows) == len(self.tokens), (value, rows.shape)
        name = f"{len(self.records):05}-{value}.npy"
        np.save(self.folder / name, rows)
        x = rows.astype(np.float64)
        finite = x[np.isfinite(x)]
        number = lambda f: float(f(finite)) if finite.size else 0.0
        self.records.append({
            "step": 0, "dispatch": len(self.records), "layer": layer, "value": value, "result": 0,
            "kernel": "transformers", "location": where, "buffer": None, "dtype": "f32", "rows": "tokens",
            "shape": list(rows.shape),
            "stats": {"min": number(np.min), "max": number(np.max), "mean": number(np.mean), "std": number(np.std),
                      "rms": number(lambda v: np.sqrt((v * v).mean())), "nan": int(np.isnan(x).sum()),
                      "inf": int(np.isinf(x).sum())},
            "first": [float(v) if np.isfinite(v) else None for v in rows.flat[:8]], "checksum": None, "file": name})

    def write(self, source):
        rows = [[0, position, token] for position, token in enumerate(self.tokens)]
        head = {"format": "llmc trace", "version": 1, "made_by": "transformers", "model": source,
                "records": self.records, "steps": [{"step": 0, "rows": {"tokens": rows}}]}
        (self.folder / "trace.json").write_text(json.dumps(head))


def cuts(config, value):
    """Columns at which the values of one module are cut apart."""
    if value == "gate up":
        return [config.intermediate_size]
    if value != "q new_k new_v":
        return []
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return [width * config.num_attention_heads, width * (config.num_attention_heads + config.num_key_value_heads)]


def hook(trace, model, reorders):
    modules = dict(model.named_modules())

    def see(module, layer, value, where, is_input):
        def note(tensor):
            rows = tensor.detach().float().numpy().reshape(len(trace.tokens), -1)  # some have an axis for heads
            for name, part in zip(value.split(), np.split(rows, cuts(model.config, value), axis=1)):
                if reorders and name in BY_HEADS:
                    part = permute(part.T, getattr(model.config, BY_HEADS[name])).T
                trace.add(layer, name, where, part)

        first = lambda got: got[0] if isinstance(got, tuple) else got
        if is_input:
            module.register_forward_pre_hook(lambda _, inputs: note(first(inputs)))
        else:
            module.register_forward_hook(lambda _, inputs, output: note(first(output)))

    for path, names in OUTSIDE.items():
        for value, is_input in zip(names, (True, False)):
            if value and path in modules:
                see(modules[path], None, value, path, is_input)
    for i in range(model.config.num_hidden_layers):
        for part, names in LAYER.items():
            path = f"model.layers.{i}" + ("." + part if part else "")
            for value, is_input in zip(names, (True, False)):
                if value and path in modules:
                    see(modules[path], i, value, path, is_input)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--tokens", required=True, help="1,2,3")
    parser.add_argument("--model-order", action="store_true", help="leave q and k as transformers has them")
    arguments = parser.parse_args()
    tokens = [int(token) for token in arguments.tokens.split(",")]
    model, is_gguf = load(arguments.model)
    arguments.out.mkdir(parents=True, exist_ok=False)
    trace = Trace(arguments.out, tokens)
    hook(trace, model, is_gguf and not arguments.model_order)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits
    if getattr(model.config, "logits_scaling", 1) != 1:
        trace.add(None, "scaled", "logits", logits[0].float().numpy())
    trace.write(arguments.model.name)
    print(f"{arguments.out}: {len(trace.records)} values")


if __name__ == "__main__":
    main()
