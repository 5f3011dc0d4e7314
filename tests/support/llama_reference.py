"""A Llama GGUF as float32 tensors, in two independent implementations.

`hf_model` dequantizes a file and gives it to transformers (float32, eager attention): the reference.
`numpy_logits` is a second forward pass in double precision, straight from the file's own conventions
(interleaved rotary pairs on the permuted q/k rows); it only checks the first.
"""
import struct

import gguf
import numpy as np
from gguf.quants import dequantize


class LlamaFile:
    """The hyper-parameters and dequantized tensors of one GGUF file of architecture llama."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.meta = {key: field.contents() for key, field in reader.fields.items()}
        assert self.meta["general.architecture"] == "llama"
        self.tensors = {}
        for tensor in reader.tensors:
            shape = [int(d) for d in reversed(tensor.shape)]
            values = dequantize(tensor.data, tensor.tensor_type)
            self.tensors[tensor.name] = np.ascontiguousarray(values, dtype=np.float32).reshape(shape)
        key = lambda name, default=None: self.meta.get("llama." + name, default)
        self.layers = key("block_count")
        self.hidden = key("embedding_length")
        self.ffn = key("feed_forward_length")
        self.heads = key("attention.head_count")
        self.kv_heads = key("attention.head_count_kv", self.heads)
        self.head_dim = key("attention.key_length", self.hidden // self.heads)
        self.rope_base = key("rope.freq_base", 10000.0)
        self.eps = key("attention.layer_norm_rms_epsilon")
        self.context = key("context_length")
        self.vocab = self.tensors["token_embd.weight"].shape[0]
        self.tied = "output.weight" not in self.tensors


def permute(rows, heads):
    """Rows as transformers has them (rotary pairs i, i + D/2) -> as the file has them (2i, 2i + 1)."""
    return rows.reshape(heads, 2, -1, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def unpermute(rows, heads):
    return rows.reshape(heads, -1, 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def tokenizer_of(file):
    """The byte-level BPE of the file's metadata: digits one by one, then GPT-2's pattern."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = file.meta["tokenizer.ggml.tokens"]
    merges = [tuple(m.split(" ")) for m in file.meta["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    kinds = file.meta["tokenizer.ggml.token_type"]
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False)
                                  for t, kind in zip(tokens, kinds) if kind == 3])
    return tokenizer


def hf_model(file):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=file.vocab, hidden_size=file.hidden, intermediate_size=file.ffn,
        num_hidden_layers=file.layers, num_attention_heads=file.heads, num_key_value_heads=file.kv_heads,
        head_dim=file.head_dim, rms_norm_eps=float(np.float32(file.eps)),
        max_position_embeddings=file.context,
        rope_parameters={"rope_type": "default", "rope_theta": float(file.rope_base)},
        tie_word_embeddings=file.tied, attention_bias=False, mlp_bias=False, hidden_act="silu",
        attn_implementation="eager", dtype=torch.float32)
    model = LlamaForCausalLM(config).float().eval()
    state = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    state["lm_head.weight"] = "token_embd.weight" if file.tied else "output.weight"
    for i in range(file.layers):
        for theirs, ours in (("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"),
                             ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
                             ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"),
                             ("mlp.down_proj", "ffn_down"), ("input_layernorm", "attn_norm"),
                             ("post_attention_layernorm", "ffn_norm")):
            state[f"model.layers.{i}.{theirs}.weight"] = f"blk.{i}.{ours}.weight"
    values = {}
    for theirs, ours in state.items():
        tensor = file.tensors[ours]
        if theirs.endswith("q_proj.weight"):
            tensor = unpermute(tensor, file.heads)
        elif theirs.endswith("k_proj.weight"):
            tensor = unpermute(tensor, file.kv_heads)
        values[theirs] = torch.from_numpy(np.array(tensor))
    model.load_state_dict(values, strict=True)
    return model


def hf_logits(model, tokens):
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].numpy()


def int8_groups(values):
    groups = values.reshape(values.shape[0], -1, 32)
    scale = np.abs(groups).max(-1, keepdims=True) / 127.0
    return (np.round(groups / np.where(scale == 0, 1, scale)) * scale).reshape(values.shape)


def numpy_logits(file, tokens, *, eps=None, rope_base=None, activation=None, head_dim_scale=None, int8=False):
    """All rows in float64. The keywords introduce one deliberate mistake, to see that it would show;
    int8 rounds the input of every matrix product to 8 bits per group of 32, as compiled integer schemes do."""
    eps = float(np.float32(file.eps)) if eps is None else eps
    rope_base = file.rope_base if rope_base is None else rope_base
    silu = lambda v: v / (1.0 + np.exp(-v))
    activation = activation or silu
    weight = lambda name: file.tensors[name].astype(np.float64)
    norm = lambda v, g: v / np.sqrt((v * v).mean(-1, keepdims=True) + eps) * weight(g)
    linear = lambda v, name: (int8_groups(v) if int8 else v) @ weight(name).T
    n, d = len(tokens), file.head_dim
    angle = np.arange(n)[:, None] * rope_base ** (-np.arange(0, d, 2) / d)[None, :]
    cos, sin = np.cos(angle)[:, None, :], np.sin(angle)[:, None, :]

    def rope(v):
        out = np.empty_like(v)
        out[..., 0::2] = v[..., 0::2] * cos - v[..., 1::2] * sin
        out[..., 1::2] = v[..., 1::2] * cos + v[..., 0::2] * sin
        return out

    x = weight("token_embd.weight")[np.asarray(tokens)]
    causal = np.tril(np.ones((n, n), dtype=bool))
    for i in range(file.layers):
        b = f"blk.{i}."
        h = norm(x, b + "attn_norm.weight")
        q = rope(linear(h, b + "attn_q.weight").reshape(n, file.heads, d))
        k = rope(linear(h, b + "attn_k.weight").reshape(n, file.kv_heads, d))
        v = linear(h, b + "attn_v.weight").reshape(n, file.kv_heads, d)
        out = np.empty((n, file.heads, d))
        for a in range(file.heads):
            g = a // (file.heads // file.kv_heads)
            s = q[:, a] @ k[:, g].T * (head_dim_scale or d ** -0.5)
            s = np.where(causal, s, -np.inf)
            p = np.exp(s - s.max(-1, keepdims=True))
            out[:, a] = p / p.sum(-1, keepdims=True) @ v[:, g]
        x = x + linear(out.reshape(n, -1), b + "attn_output.weight")
        h = norm(x, b + "ffn_norm.weight")
        gate = activation(linear(h, b + "ffn_gate.weight"))
        x = x + linear(gate * linear(h, b + "ffn_up.weight"), b + "ffn_down.weight")
    x = norm(x, "output_norm.weight")
    return linear(x, "token_embd.weight" if file.tied else "output.weight")


def write_logits(path, vocab, cases):
    """cases: (tokens, row indices, logits of those rows); the layout is described in tests/e2e/README.md."""
    with open(path, "wb") as out:
        out.write(b"LLMCLGT1" + struct.pack("<II", vocab, len(cases)))
        for tokens, rows, logits in cases:
            logits = np.ascontiguousarray(logits, dtype="<f4")
            assert logits.shape == (len(rows), vocab) and np.isfinite(logits).all()
            out.write(struct.pack("<II", len(tokens), len(rows)))
            out.write(np.asarray(tokens, dtype="<i4").tobytes())
            out.write(np.asarray(rows, dtype="<i4").tobytes())
            out.write(logits.tobytes())
