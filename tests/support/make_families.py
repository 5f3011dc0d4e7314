"""Makes the tiny checkpoints of tests/fixtures/families and the logits that transformers computes from them.

    make_families.py OUT_DIR [NAME...] [--check] [--llama-cpp DIR]

Each family is a Hugging Face folder: config.json as the published models of the family spell it, model.safetensors
(some share another's, `weights`), and reference.logits. Where GGUF has the family, the converter in llama.cpp's source
folder makes model.gguf from the same folder, without a tokenizer. Everything is seeded. `--check` removes each of a
family's features in turn and shows that the logits would tell.

The last case of a reference is a greedy continuation: 7 tokens, then the 16 that the model finds most likely.
"""
import argparse
import copy
import json
import pathlib
import sys
import zlib

import numpy as np
import torch
from safetensors.torch import load_file, save_file

LENGTHS = (1, 7, 33, 70, 300)
PROMPT, GREEDY = 7, 16
HIDDEN, FFN, VOCAB = 48, 80, 131
COMMON = {
    "hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": VOCAB, "hidden_act": "silu", "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "use_cache": True,
    "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 2, "transformers_version": "4.40.0",
}
LLAMA = dict(COMMON, architectures=["LlamaForCausalLM"], model_type="llama", attention_bias=False, mlp_bias=False,
             pretraining_tp=1, rope_theta=10000.0, rope_scaling=None)
MISTRAL = dict(COMMON, architectures=["MistralForCausalLM"], model_type="mistral", rope_theta=10000.0)
QWEN2 = dict(COMMON, architectures=["Qwen2ForCausalLM"], model_type="qwen2", rope_theta=1000000.0, rms_norm_eps=1e-6,
             num_hidden_layers=3, sliding_window=24, max_window_layers=1)
PHI3 = dict(COMMON, architectures=["Phi3ForCausalLM"], model_type="phi3", rope_theta=10000.0, attention_bias=False,
            embd_pdrop=0.0, resid_pdrop=0.0, pad_token_id=0,
            auto_map={"AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"})


def with_new_spelling(config, **rope):
    """As transformers 5 saves it: dtype, and all about the rotation in rope_parameters."""
    config = dict(config, dtype=config["torch_dtype"], transformers_version="5.0.0",
                  rope_parameters=dict({"rope_theta": config["rope_theta"], "rope_type": "default"}, **rope))
    return {k: v for k, v in config.items() if k not in ("torch_dtype", "rope_theta", "rope_scaling")}


def factors(pairs, last):
    return [round(1 + (last - 1) * (j / max(1, pairs - 1)) ** 2, 4) for j in range(pairs)]


# config: what stands in config.json. Others: `weights` of another family, `gguf` (the converter makes a twin),
# `context` that the model is compiled for, `absent` keys, `without`: changes of the config that must show.
FAMILIES = {
    # The first published conversions had neither key heads, nor a rotary base, nor the usual key of the context.
    "llama1": dict(config=dict(LLAMA, architectures=["LLaMAForCausalLM"], torch_dtype="float16", rms_norm_eps=1e-6,
                               max_sequence_length=512, pad_token_id=-1),
                   absent=("num_key_value_heads", "rope_theta", "rope_scaling", "max_position_embeddings",
                           "attention_bias", "mlp_bias", "pretraining_tp"),
                   inv_freq=True, gguf=True, without=[{"rms_norm_eps": 1e-4}]),
    "llama2": dict(config=LLAMA, gguf=True, without=[{"rope_theta": 20000.0}]),
    "llama3": dict(config=dict(LLAMA, rope_theta=500000.0, tie_word_embeddings=True,
                               rope_scaling={"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                                             "original_max_position_embeddings": 64, "rope_type": "llama3"}),
                   gguf=True, without=[{"rope_scaling": None}]),
    "llama-bias": dict(config=with_new_spelling(dict(LLAMA, attention_bias=True, mlp_bias=True, head_dim=14,
                                                     vocab_size=97)),
                       gguf=True,
                       zero=[".q_proj.bias", ".k_proj.bias", ".o_proj.bias", ".up_proj.bias", ".down_proj.bias"]),
    "smollm2": dict(config=dict(LLAMA, rope_theta=100000.0, tie_word_embeddings=True, is_llama_config=True,
                                rope_interleaved=False), weights="llama3"),
    "tinyllama": dict(config=LLAMA, weights="llama2", absent=("attention_bias", "mlp_bias", "rope_theta")),
    "yi": dict(config=dict(LLAMA, rope_theta=5000000.0, pad_token_id=0), weights="llama2"),
    "mistral": dict(config=dict(MISTRAL, sliding_window=20), weights="llama2",
                    without=[{"sliding_window": None}, {"sliding_window": 19}, {"sliding_window": 21}]),
    "mistral-full": dict(config=with_new_spelling(dict(MISTRAL, sliding_window=None, head_dim=12)), weights="llama2"),
    "qwen2": dict(config=dict(QWEN2, use_sliding_window=False, tie_word_embeddings=True), gguf=True,
                  without=[{"use_sliding_window": True}], zero=[".q_proj.bias", ".k_proj.bias", ".v_proj.bias"]),
    "qwen2-window": dict(config=dict(QWEN2, use_sliding_window=True, tie_word_embeddings=True), weights="qwen2",
                         without=[{"use_sliding_window": False}, {"max_window_layers": 0}, {"max_window_layers": 2}]),
    "qwen3": dict(config=dict(QWEN2, architectures=["Qwen3ForCausalLM"], model_type="qwen3", head_dim=16,
                              num_hidden_layers=2, use_sliding_window=False, sliding_window=None, attention_bias=False,
                              rope_scaling=None),
                  gguf=True, one=[".q_norm.weight", ".k_norm.weight"]),
    "granite": dict(config=dict(LLAMA, architectures=["GraniteForCausalLM"], model_type="granite",
                                rope_theta=10000000.0, torch_dtype="float32", attention_multiplier=0.2,
                                embedding_multiplier=12.0,
                                logits_scaling=8.0, residual_multiplier=0.22, tie_word_embeddings=True),
                    gguf=True,
                    without=[{"attention_multiplier": 0.25}, {"embedding_multiplier": 11.0},
                             {"residual_multiplier": 0.25}, {"logits_scaling": 7.0}]),
    "phi3": dict(config=dict(PHI3, sliding_window=262, max_position_embeddings=1024,
                             original_max_position_embeddings=320,
                             rope_scaling={"type": "longrope", "short_factor": factors(6, 1.4),
                                           "long_factor": factors(6, 7.0)}),
                 gguf=True, context=320, without=[{"rope_scaling": None}, {"max_position_embeddings": 512}]),
    "phi4-mini": dict(config=with_new_spelling(
        dict(PHI3, head_dim=16, hidden_size=64, sliding_window=None, max_position_embeddings=512,
             original_max_position_embeddings=64, tie_word_embeddings=True),
        rope_type="longrope", partial_rotary_factor=0.75, short_factor=factors(6, 1.2), long_factor=factors(6, 5.0),
        original_max_position_embeddings=64), absent=("head_dim",), gguf=True, at_length=True),
    "smollm3": dict(config=dict(LLAMA, architectures=["SmolLM3ForCausalLM"], model_type="smollm3", num_hidden_layers=4,
                                rope_theta=2000000.0, tie_word_embeddings=True, no_rope_layers=[1, 1, 1, 0],
                                no_rope_layer_interval=4, pad_token_id=0, use_sliding_window=False, sliding_window=None,
                                layer_types=["full_attention"] * 4),
                    gguf=True, without=[{"no_rope_layers": [1, 1, 1, 1]}, {"no_rope_layers": [1, 1, 0, 1]}]),
    "internlm2": dict(config=dict(COMMON, architectures=["InternLM2ForCausalLM"], model_type="internlm2", bias=False,
                                  rope_theta=1000000, rope_scaling={"type": "dynamic", "factor": 2.0},
                                  auto_map={"AutoModelForCausalLM": "modeling_internlm2.InternLM2ForCausalLM"}),
                      gguf=True),
    "baichuan": dict(config=dict(COMMON, architectures=["BaiChuanForCausalLM"], model_type="baichuan",
                                 rms_norm_eps=1e-6, num_key_value_heads=4,
                                 auto_map={"AutoModelForCausalLM": "modeling_baichuan.BaiChuanForCausalLM"}),
                     absent=("num_key_value_heads",), gguf=True),
    "deepseek": dict(config=dict(COMMON, architectures=["DeepseekForCausalLM"], model_type="deepseek", rope_theta=10000,
                                 rope_scaling=None, attention_bias=False, n_routed_experts=None, n_shared_experts=None,
                                 first_k_dense_replace=0, moe_layer_freq=1,
                                 auto_map={"AutoModelForCausalLM": "modeling_deepseek.DeepseekForCausalLM"}),
                     weights="llama2"),
    "rope-linear": dict(config=dict(LLAMA, rope_scaling={"type": "linear", "factor": 4.0}), weights="llama2", gguf=True,
                        without=[{"rope_scaling": None}]),
    "rope-dynamic": dict(config=dict(LLAMA, max_position_embeddings=128,
                                     rope_scaling={"type": "dynamic", "factor": 2.0}),
                         weights="llama2", context=300, at_length=True, without=[{"rope_scaling": None}]),
    "rope-yarn": dict(config=dict(LLAMA, rope_scaling={"rope_type": "yarn", "factor": 4.0,
                                                       "original_max_position_embeddings": 128}),
                      weights="llama2", gguf=True, without=[{"rope_scaling": None}]),
    "rope-yarn-mscale": dict(config=with_new_spelling(LLAMA, rope_type="yarn", factor=8.0, beta_fast=4.0, beta_slow=0.5,
                                                      mscale=1.0, mscale_all_dim=0.7, truncate=False,
                                                      original_max_position_embeddings=64), weights="llama2"),
}


def seeded(name):
    generator = torch.Generator()
    generator.manual_seed(zlib.crc32(name.encode()))
    return generator


def values(family, name, shape):
    """Small embeddings make eps matter; strong q and k make attention look somewhere; what goes back into the residual
    stream keeps the embeddings' size, so that every part shows in the logits."""
    noise = torch.randn(shape, generator=seeded(f"{family} {name}"))
    small = 0.04
    word = name.removesuffix(".weight").removesuffix(".bias").split(".")[-1]
    back = word in ("o_proj", "down_proj", "wo", "w2")
    if name.endswith(".bias"):
        return noise * (0.3 * small if back else 0.3)
    if len(shape) == 1:
        return 1 + 0.2 * noise
    if word in ("embed_tokens", "tok_embeddings"):
        return noise * small
    gains = {"gate_proj": 1.5, "w1": 1.5, "v_proj": 1.0, "lm_head": 1.0, "output": 1.0}
    gain = 1.5 * small if back else gains.get(word, 1.3)
    return noise * gain / shape[-1] ** 0.5


def written_config(spec):
    return {k: v for k, v in spec["config"].items() if k not in spec.get("absent", ())}


# The code of these was published with the models, not in transformers: they are Llamas in another order of rows.
def llama_names(family, state, config):
    heads, groups = config["num_attention_heads"], config.get("num_key_value_heads", config["num_attention_heads"])
    d = config["hidden_size"] // heads
    out = {}
    renamed = {"tok_embeddings": "embed_tokens", "attention_norm": "input_layernorm",
               "ffn_norm": "post_attention_layernorm", "attention.wo": "self_attn.o_proj",
               "feed_forward.w1": "mlp.gate_proj", "feed_forward.w3": "mlp.up_proj",
               "feed_forward.w2": "mlp.down_proj"}
    for name, value in state.items():
        if family == "internlm2" and "wqkv" in name:
            rows = value.reshape(groups, heads // groups + 2, d, -1)  # in each group: its queries, k, v
            for part, taken in (("q", rows[:, :-2]), ("k", rows[:, -2]), ("v", rows[:, -1])):
                out[name.replace("attention.wqkv", f"self_attn.{part}_proj")] = taken.reshape(-1, value.shape[-1])
            continue
        if family == "baichuan" and "W_pack" in name:
            for part, taken in zip("qkv", value.chunk(3)):
                out[name.replace("W_pack", part + "_proj")] = taken
            continue
        for old, new in renamed.items() if family == "internlm2" else ():
            name = name.replace(old, new)
        out["lm_head.weight" if name == "output.weight" else name] = value
    return out


def own_shapes(family, config):
    """Tensors of the two families that transformers has no class for."""
    h, f, v = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    heads, groups = config["num_attention_heads"], config.get("num_key_value_heads", config["num_attention_heads"])
    qkv = (heads + 2 * groups) * (h // heads)
    if family == "internlm2":
        layer = {"attention.wqkv": (qkv, h), "attention.wo": (h, h), "feed_forward.w1": (f, h),
                 "feed_forward.w2": (h, f), "feed_forward.w3": (f, h), "attention_norm": (h,), "ffn_norm": (h,)}
        shapes = {"model.tok_embeddings.weight": (v, h), "model.norm.weight": (h,), "output.weight": (v, h)}
    else:
        layer = {"self_attn.W_pack": (qkv, h), "self_attn.o_proj": (h, h), "mlp.gate_proj": (f, h),
                 "mlp.up_proj": (f, h), "mlp.down_proj": (h, f), "input_layernorm": (h,),
                 "post_attention_layernorm": (h,)}
        shapes = {"model.embed_tokens.weight": (v, h), "model.norm.weight": (h,), "lm_head.weight": (v, h)}
    for i in range(config["num_hidden_layers"]):
        shapes.update({f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()})
    return shapes


def model_of(family, config):
    """transformers' model of a config.json, in float32, with eager attention."""
    from transformers import AutoModelForCausalLM, CONFIG_MAPPING

    config = copy.deepcopy({k: v for k, v in config.items() if k != "auto_map"})
    kind = config.pop("model_type")
    if kind in ("internlm2", "baichuan", "deepseek"):
        kind = "llama"
        # Within the trained context, the only one compiled for here, dynamic scaling changes nothing.
        config.pop("rope_scaling", None)
    config["torch_dtype" if "torch_dtype" in config else "dtype"] = "float32"
    made = CONFIG_MAPPING[kind](**config)
    made._attn_implementation = "eager"
    return AutoModelForCausalLM.from_config(made, attn_implementation="eager").float().eval()


def fix_rotation(model, length):
    """The frequencies of sequences of `length` tokens, for all lengths."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rotary = model.model.rotary_emb
    freqs, rotary.attention_scaling = ROPE_INIT_FUNCTIONS[rotary.rope_type](model.config, "cpu", seq_len=length)
    rotary.inv_freq = freqs
    rotary.rope_type = "default"


def load(model, family, state, config):
    state = llama_names(family, state, config) if family in ("internlm2", "baichuan") else dict(state)
    state = {k: v.float() for k, v in state.items() if not k.endswith("inv_freq")}
    if config.get("tie_word_embeddings"):
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    return model


def run(model, tokens):
    with torch.inference_mode():
        return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].numpy()


def greedy(model, prompt):
    """The continuation and the smallest distance of the chosen token to the next best, in standard deviations."""
    tokens, margin = list(prompt), np.inf
    for _ in range(GREEDY):
        row = run(model, tokens)[-1]
        best = np.sort(row)[-2:]
        margin = min(margin, (best[1] - best[0]) / row.std())
        tokens.append(int(row.argmax()))
    return tokens, margin


def cases_of(family, model, vocab):
    rng = np.random.default_rng(zlib.crc32(b"tokens " + family.encode()))
    cases = []
    for length in LENGTHS:
        tokens = rng.integers(0, vocab, length).tolist()
        rows = [length - 1] if length >= 70 else list(range(length))
        cases.append((tokens, rows, run(model, tokens)[rows]))
    for _ in range(100):  # a prompt whose continuation is no close decision
        tokens, margin = greedy(model, rng.integers(0, vocab, PROMPT).tolist())
        if margin > 2e-3:
            rows = list(range(PROMPT - 1, PROMPT + GREEDY - 1))
            return cases + [(tokens, rows, run(model, tokens)[rows])]
    raise SystemExit(f"{family}: every continuation is a close decision")


def write_gguf(folder, config):
    import gguf
    from conversion import get_model_class
    from conversion.base import ModelBase

    kinds = {"float16": gguf.LlamaFileType.MOSTLY_F16, "bfloat16": gguf.LlamaFileType.MOSTLY_BF16,
             "float32": gguf.LlamaFileType.ALL_F32}
    architecture = {"LLaMAForCausalLM": "LlamaForCausalLM"}.get(config["architectures"][0], config["architectures"][0])
    made = get_model_class(architecture)
    made.set_vocab = lambda self: self.gguf_writer.add_tokenizer_model("none")
    if architecture == "BaiChuanForCausalLM":  # the converter's own calls itself for ever on the other tensors
        own = made.modify_tensors
        made.modify_tensors = lambda self, data, name, bid: (
            own(self, data, name, bid) if "W_pack" in name else super(made, self).modify_tensors(data, name, bid))
    with torch.inference_mode():
        made(folder, kinds[config.get("torch_dtype", config.get("dtype"))], folder / "model.gguf", eager=True).write()


def make(out, name, spec, arguments):
    from llama_reference import write_logits

    config, folder = written_config(spec), out / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = out / spec.get("weights", name) / "model.safetensors"
    if "weights" not in spec:
        shapes = (own_shapes(name, config) if name in ("internlm2", "baichuan") else
                  {k: tuple(v.shape) for k, v in model_of(name, config).state_dict().items()
                   if not (k == "lm_head.weight" and config["tie_word_embeddings"])})
        dtype = getattr(torch, config.get("torch_dtype", config.get("dtype")))
        state = {k: values(name, k, shape).to(dtype) for k, shape in shapes.items()}
        if spec.get("inv_freq"):
            d = config["hidden_size"] // config["num_attention_heads"]
            for i in range(config["num_hidden_layers"]):
                state[f"model.layers.{i}.self_attn.rotary_emb.inv_freq"] = 10000 ** -(torch.arange(0, d, 2) / d)
        save_file(state, weights, {"format": "pt"})
    state = load_file(weights)
    model = load(model_of(name, config), name, state, config)
    longest = run(model, list(range(70)) * 4) if spec.get("at_length") else None
    if spec.get("at_length"):
        fix_rotation(model, spec.get("context") or config["max_position_embeddings"])
        if spec.get("context") is None:  # the length at hand is past the switch: the same frequencies
            assert np.array_equal(longest, run(model, list(range(70)) * 4))
    cases = cases_of(name, model, config["vocab_size"])
    write_logits(folder / "reference.logits", config["vocab_size"], cases)
    if spec.get("gguf") and arguments.llama_cpp:
        if "weights" in spec:
            save_file(state, folder / "model.safetensors", {"format": "pt"})
        write_gguf(folder, config)
        if "weights" in spec:
            (folder / "model.safetensors").unlink()
    for file in folder.iterdir():
        assert file.stat().st_size <= 600_000, f"{file} is too large to keep"
    if arguments.check:
        check(name, spec, config, state, cases)


def check(name, spec, config, state, cases):
    """Each feature left out in turn: the largest difference it makes, in standard deviations."""
    changed = [(str(change), {**config, **change}, state) for change in spec.get("without", ())]
    for words, value in (("zero", 0.0), ("one", 1.0)):
        for suffix in spec.get(words, ()):
            changed.append((f"{suffix} = {value}", config,
                            {k: torch.full_like(v, value) if k.endswith(suffix) else v for k, v in state.items()}))
    for label, config, state in changed:
        model = load(model_of(name, config), name, state, config)
        seen = max(float((np.abs(run(model, tokens)[rows] - logits) / logits.std(-1, keepdims=True)).max())
                   for tokens, rows, logits in cases)
        print(f"{name}: {label} {seen:.1e} std")
        assert seen > 4e-4, "a mistake would pass"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--llama-cpp", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.llama_cpp:  # its gguf package fits its converter
        sys.path[:0] = [str(arguments.llama_cpp / "gguf-py"), str(arguments.llama_cpp)]
    for name, spec in FAMILIES.items():
        if not arguments.names or name in arguments.names:
            make(arguments.out, name, spec, arguments)


if __name__ == "__main__":
    main()
