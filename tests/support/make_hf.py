"""Makes tests/fixtures/hf from the GGUF fixtures beside it: the same models as Hugging Face directories, and one of
them split into several GGUF files. Their logits are those of the GGUF files.

    make_hf.py FIXTURES [--check]

`--check` loads each directory with transformers and compares its logits with the fixture's reference.
"""
import json
import pathlib
import struct
import sys

import gguf
import numpy as np
import torch
from llama_reference import LlamaFile, unpermute
from safetensors.torch import save_file

NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
         "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
         "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


def tensors_of(file, dtype):
    """Matrices in `dtype`, exactly; vectors stay float32."""
    result = {}
    for name, values in file.tensors.items():
        parts = name.split(".")
        if parts[0] == "blk":
            if parts[2] in ("attn_q", "attn_k"):
                values = unpermute(values, file.heads if parts[2] == "attn_q" else file.kv_heads)
            name = f"model.layers.{parts[1]}.{NAMES[parts[2]]}.weight"
        else:
            name = NAMES[parts[0]] + ".weight"
        tensor = torch.from_numpy(values.copy())
        if tensor.ndim == 2:
            exact, tensor = tensor, tensor.to(dtype)
            assert torch.equal(exact, tensor.float())
        result[name] = tensor
    return result


def config_of(file, **more):
    return {"architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
            "hidden_size": file.hidden, "intermediate_size": file.ffn, "max_position_embeddings": file.context,
            "model_type": "llama", "num_attention_heads": file.heads, "num_hidden_layers": file.layers,
            "rms_norm_eps": 1e-5, "tie_word_embeddings": file.tied, "vocab_size": file.vocab, **more}


def save(tensors, path):
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)


def write(folder, config, tensors, shards=1):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    names = sorted(tensors)
    if shards == 1:
        save(tensors, folder / "model.safetensors")
        return
    weight_map = {}
    for i in range(shards):
        shard = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = names[i::shards]
        save({n: tensors[n] for n in part}, folder / shard)
        weight_map.update({n: shard for n in part})
    index = {"metadata": {"total_size": sum(t.numel() * t.element_size() for t in tensors.values())},
             "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def make(fixtures):
    out = fixtures / "hf"
    # As the first conversions of Llama: float32, no key heads, no rotary base, and the rotary frequencies stored. The
    # output is tied, and written all the same.
    file = LlamaFile(fixtures / "llama-mha.gguf")
    tensors = tensors_of(file, torch.float32)
    for i in range(file.layers):
        tensors[f"model.layers.{i}.self_attn.rotary_emb.inv_freq"] = 1 / 10000 ** (
            torch.arange(0, file.head_dim, 2).float() / file.head_dim)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    write(out / "llama-mha", config_of(file, torch_dtype="float32", pad_token_id=0, transformers_version="4.28.0"),
          tensors)

    # As transformers 5 writes it, in three shards.
    file = LlamaFile(fixtures / "llama-f16.gguf")
    write(out / "llama-f16",
          config_of(file, dtype="float16", head_dim=file.head_dim, num_key_value_heads=file.kv_heads,
                    attention_bias=False, mlp_bias=False, pretraining_tp=1, transformers_version="5.0.0",
                    rope_parameters={"rope_theta": file.rope_base, "rope_type": "default"}),
          tensors_of(file, torch.float16), shards=3)

    # The language model of a model that also sees. Its Mistral has the window left empty.
    file = LlamaFile(fixtures / "llama-bf16.gguf")
    text = config_of(file, architectures=["MistralForCausalLM"], model_type="mistral", head_dim=file.head_dim,
                     num_key_value_heads=file.kv_heads, rope_theta=file.rope_base, rope_scaling=None,
                     sliding_window=None)
    tensors = {("language_model." + n): t for n, t in tensors_of(file, torch.bfloat16).items()}
    tensors["vision_tower.patch_embed.weight"] = torch.zeros(8, 3, 2, 2, dtype=torch.bfloat16)
    tensors["multi_modal_projector.linear_1.weight"] = torch.zeros(96, 8, dtype=torch.bfloat16)
    write(out / "llama-bf16",
          {"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "torch_dtype": "bfloat16",
           "image_token_index": 300, "text_config": text, "vision_config": {"model_type": "siglip"},
           "tie_word_embeddings": False, "transformers_version": "4.46.0"}, tensors)


def split(fixtures):
    """deep-2.gguf in three files, as the gguf package splits."""
    reader = gguf.GGUFReader(fixtures / "deep-2.gguf")
    out = fixtures / "hf" / "deep-2.gguf"
    writer = gguf.GGUFWriter(out, "llama", split_max_tensors=(len(reader.tensors) + 2) // 3)
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        writer.add_key_value(key, field.contents(), field.types[0],
                             field.types[-1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def references(path):
    data = path.read_bytes()
    vocab, cases = struct.unpack_from("<II", data, 8)
    at = 16
    for _ in range(cases):
        n, rows = struct.unpack_from("<II", data, at)
        tokens = np.frombuffer(data, "<i4", n, at + 8)
        index = np.frombuffer(data, "<i4", rows, at + 8 + 4 * n)
        at += 8 + 4 * (n + rows)
        yield tokens, index, np.frombuffer(data, "<f4", rows * vocab, at).reshape(rows, vocab)
        at += 4 * rows * vocab


def check(fixtures, name):
    import tempfile

    from transformers import AutoModelForCausalLM
    folder = fixtures / "hf" / name
    config = json.loads((folder / "config.json").read_text())
    with tempfile.TemporaryDirectory() as text_only:
        if "text_config" in config:  # what its language model would be by itself
            from safetensors.torch import load_file
            tensors = {n.removeprefix("language_model."): t
                       for n, t in load_file(folder / "model.safetensors").items() if n.startswith("language_model.")}
            folder = pathlib.Path(text_only)
            write(folder, config["text_config"], tensors)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        worst = 0.0
        for tokens, rows, expected in references(fixtures / f"{name}.logits"):
            with torch.no_grad():
                logits = model(torch.from_numpy(tokens.astype(np.int64))[None]).logits[0].numpy()[rows]
            worst = max(worst, float((np.abs(logits - expected) / expected.std(-1, keepdims=True)).max()))
    print(f"{name}: {worst:.2e} std")
    assert worst < 1e-5


if __name__ == "__main__":
    fixtures = pathlib.Path(sys.argv[1])
    make(fixtures)
    split(fixtures)
    if "--check" in sys.argv[2:]:
        for name in ("llama-mha", "llama-f16", "llama-bf16"):
            check(fixtures, name)
