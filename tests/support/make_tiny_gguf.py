"""Makes the tiny Llama checkpoints of tests/fixtures and the logits that transformers computes from them.

    make_tiny_gguf.py OUT_DIR [--check] [NAME...]

Every file is seeded; with names, only those are made. `--check` compares each reference with a double-precision forward pass written for that
purpose, and shows that small mistakes (another eps, rope base, activation, attention scale) would be seen.
"""
import pathlib
import struct
import sys
import zlib

import gguf
import numpy as np
from gguf.quants import dequantize, quantize
from llama_reference import LlamaFile, hf_logits, hf_model, numpy_logits, permute, tokenizer_of, write_logits

LENGTHS = (1, 7, 33, 70, 300)
Type = gguf.GGMLQuantizationType
SMALL = dict(hidden=72, head_dim=18, ffn=100, vocab=301, layers=2)
# A trained model is sensitive where it was never trained; its reference is a conversation that it could have had.
CHAT = "".join(
    f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n" for question, answer in (
    ("What is llmc?", "llmc is a graph compiler for language models. It turns a model into one file, model.so, that "
                      "any program can load."),
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Tell me a story.", "Once upon a time a little model lived in a large cloud. It wished to be free, so a compiler "
                         "packed it into one file, and it went home on a small stick."),
    ("Thanks!", "You are welcome!"),
    ("What is a token?", "A token is a short piece of text. A language model reads tokens and guesses the next one."),
))
# K a multiple of 32, but of no higher power: 96 = 3 groups, 160 = 5 groups.
GROUPED = dict(hidden=96, head_dim=16, heads=6, kv_heads=2, ffn=160, vocab=301, layers=2)
# Super-blocks need K in multiples of 256; a short output keeps the files small.
SUPER = dict(hidden=256, head_dim=64, heads=4, kv_heads=1, ffn=256, vocab=97, layers=1, tied=True)
DEEP = dict(hidden=32, head_dim=32, heads=1, kv_heads=1, ffn=32, vocab=301, kind=lambda n, i: Type.Q4_0,
            lengths=(7,), last_only=True, tied=True)


def mixed(name, layer):
    """Types that vary by weight and, irregularly, by layer, as files made by common quantizers have them."""
    if name in ("attn_v", "ffn_down") and layer != 1:
        return Type.Q8_0
    if name == "ffn_up":
        return Type.Q4_1
    if name == "token_embd":
        return Type.F16
    return Type.Q4_0


def all_of(kind):
    return lambda name, layer: kind


def q4_k_m(name, layer):
    """What common quantizers call Q4_K_M: the sensitive weights in more bits, where half of the layers count as such."""
    if name == "output" or layer == 0 and name in ("attn_v", "ffn_down"):
        return Type.Q6_K
    if layer == 1 and name == "attn_v":
        return Type.Q5_0
    return Type.Q4_K


SPECS = {
    # `defaults`: the optional keys are left out (kv heads, key length, rope base and dimensions, vocab size).
    "llama-mha": dict(SMALL, heads=4, kv_heads=4, tied=True, defaults=True),
    "llama-gqa": dict(SMALL, heads=6, kv_heads=2, tied=False, rope_base=500000.0),
    "llama-mqa": dict(SMALL, heads=3, kv_heads=1, tied=True, layers=3),
    "llama-f16": dict(SMALL, heads=6, kv_heads=2, tied=True, kind=all_of(Type.F16)),
    "llama-bf16": dict(GROUPED, tied=False, kind=all_of(Type.BF16)),
    "llama-q8_0": dict(GROUPED, tied=True, kind=all_of(Type.Q8_0)),
    "llama-q4_0": dict(GROUPED, tied=False, kind=all_of(Type.Q4_0)),
    "llama-q4_1": dict(GROUPED, tied=True, kind=all_of(Type.Q4_1)),
    "llama-mixed": dict(GROUPED, tied=True, layers=3, kind=mixed),
    "llama-q5_0": dict(GROUPED, tied=True, kind=all_of(Type.Q5_0)),
    "llama-q5_1": dict(GROUPED, tied=False, kind=all_of(Type.Q5_1)),
    "llama-iq4_nl": dict(GROUPED, tied=True, kind=all_of(Type.IQ4_NL)),
    "llama-mxfp4": dict(GROUPED, tied=True, kind=all_of(Type.MXFP4)),
    "llama-q2_k": dict(SUPER, kind=all_of(Type.Q2_K)),
    "llama-q3_k": dict(SUPER, kind=all_of(Type.Q3_K)),
    "llama-q4_k": dict(SUPER, kind=all_of(Type.Q4_K)),
    "llama-q5_k": dict(SUPER, kind=all_of(Type.Q5_K)),
    "llama-q6_k": dict(SUPER, kind=all_of(Type.Q6_K)),
    "llama-iq4_xs": dict(SUPER, kind=all_of(Type.IQ4_XS)),
    "llama-q4_k_m": dict(SUPER, kind=q4_k_m) | dict(layers=2, tied=False),
    # One shape, two depths: compile time must not tell them apart.
    "deep-2": dict(DEEP, layers=2),
    "deep-80": dict(DEEP, layers=80),
}


# Types that the gguf package reads but does not write: offset of the f16 scale, offset of the f16 minimum and the ratio
# of the two that makes random values average to zero.
RANDOM_BLOCKS = {
    Type.Q2_K: (80, 82, 1.5), Type.Q3_K: (108, None, 0), Type.Q4_K: (0, 2, 7.5), Type.Q5_K: (0, 2, 15.5),
    Type.Q6_K: (208, None, 0), Type.IQ4_NL: (0, None, 0), Type.IQ4_XS: (0, None, 0),
}


def random_rows(rng, shape, deviation, kind):
    """Blocks of random bits whose values have about the standard deviation."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (shape[0] * shape[1] // values, size), dtype=np.uint8)
    spread = rng.uniform(0.7, 1.3, len(blocks)) * rng.choice((-1, 1), len(blocks))

    def put(at, numbers):
        blocks[:, at:at + 2] = numbers.astype("<f2").view(np.uint8).reshape(-1, 2)

    def scale(by):
        if kind == Type.MXFP4:
            blocks[:, 0] = np.clip(np.round(128 + np.log2(by * np.abs(spread))), 1, 250)
            return
        offset, minimum, ratio = RANDOM_BLOCKS[kind]
        put(offset, by * spread)
        if minimum is not None:
            put(minimum, by * spread * ratio)

    scale(1.0)
    scale(deviation / dequantize(blocks.reshape(-1), kind).std())
    return blocks.reshape(shape[0], -1)


def write_checkpoint(path, name, spec):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    hidden, d, ffn, vocab = spec["hidden"], spec["head_dim"], spec["ffn"], spec["vocab"]
    heads, kv_heads, layers = spec["heads"], spec["kv_heads"], spec["layers"]
    kind = spec.get("kind", all_of(Type.F32))
    w = gguf.GGUFWriter(path, "llama")
    w.add_name(name)
    w.add_block_count(layers)
    w.add_context_length(1024)
    w.add_embedding_length(hidden)
    w.add_feed_forward_length(ffn)
    w.add_head_count(heads)
    w.add_layer_norm_rms_eps(1e-5)
    if not spec.get("defaults"):
        w.add_head_count_kv(kv_heads)
        w.add_key_length(d)
        w.add_value_length(d)
        w.add_rope_dimension_count(d)
        w.add_rope_freq_base(spec.get("rope_base", 10000.0))
        w.add_vocab_size(vocab)
    w.add_tokenizer_model("none")

    def add(name, values, layer=-1):
        full = f"blk.{layer}.{name}.weight" if layer >= 0 else name + ".weight"
        values = values.astype(np.float32)
        stored = kind(name.split(".")[-1], layer) if values.ndim == 2 else Type.F32
        if stored == Type.F32:
            w.add_tensor(full, values)
        elif stored == Type.F16:
            w.add_tensor(full, values.astype(np.float16))
        elif stored in RANDOM_BLOCKS or stored == Type.MXFP4:
            w.add_tensor(full, random_rows(rng, values.shape, values.std(), stored), raw_dtype=stored)
        else:
            w.add_tensor(full, quantize(values, stored), raw_dtype=stored)

    def matrix(rows, cols, gain):
        return rng.standard_normal((rows, cols)) * gain / cols ** 0.5

    def gain_vector():
        return 1 + 0.2 * rng.standard_normal(hidden)

    # Small embeddings make eps matter; strong q and k make attention look somewhere; the two ways back into the
    # residual stream are kept at the embeddings' size, less so with depth, so that every part shows in the logits.
    small = 0.04
    add("token_embd", rng.standard_normal((vocab, hidden)) * small)
    for i in range(layers):
        add("attn_norm", gain_vector(), i)
        add("attn_q", permute(matrix(heads * d, hidden, 1.3), heads), i)
        add("attn_k", permute(matrix(kv_heads * d, hidden, 1.3), kv_heads), i)
        add("attn_v", matrix(kv_heads * d, hidden, 1.0), i)
        add("attn_output", matrix(hidden, heads * d, 1.5 * small / max(1, layers / 4) ** 0.5), i)
        add("ffn_norm", gain_vector(), i)
        add("ffn_gate", matrix(ffn, hidden, 1.5), i)
        add("ffn_up", matrix(ffn, hidden, 1.0), i)
        add("ffn_down", matrix(hidden, ffn, 1.5 * small / max(1, layers / 4) ** 0.5), i)
    add("output_norm", gain_vector())
    if not spec["tied"]:
        add("output", matrix(vocab, hidden, 1.0))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def reference_cases(file, name, spec, text=None):
    rng = np.random.default_rng(zlib.crc32(b"tokens " + name.encode()))
    model = hf_model(file)
    cases = []
    for length in spec.get("lengths", LENGTHS):
        tokens = rng.integers(0, file.vocab, length).tolist()
        if text:
            tokens = tokenizer_of(file).encode(text).ids[:length]
            assert len(tokens) == length
        logits = hf_logits(model, tokens)
        rows = [length - 1] if length >= 70 or spec.get("last_only") else list(range(length))
        cases.append((tokens, rows, logits[rows]))
    return cases


def deviation(reference, cases, **mistake):
    """The largest difference to the double-precision pass, in standard deviations of each row."""
    worst = 0.0
    for tokens, rows, logits in cases:
        if mistake and "int8" not in mistake and len(tokens) != max(len(t) for t, _, _ in cases if len(t) <= 33):
            continue
        other = numpy_logits(reference, tokens, **mistake)[rows]
        worst = max(worst, float((np.abs(other - logits) / logits.std(-1, keepdims=True)).max()))
    return worst


def check(file, name, cases):
    right = deviation(file, cases)
    wrong = {
        "eps 1e-6": dict(eps=1e-6),
        "rope base": dict(rope_base=file.rope_base * 1.01),
        "tanh gelu": dict(activation=lambda v: 0.5 * v * (1 + np.tanh(0.7978845608 * (v + 0.044715 * v ** 3)))),
        "scale hidden/heads": dict(head_dim_scale=(file.hidden / file.heads) ** -0.5),
    }
    if file.hidden == file.heads * file.head_dim:
        del wrong["scale hidden/heads"]
    seen = {label: deviation(file, cases, **mistake) for label, mistake in wrong.items()}
    print(f"{name}: {right:.2e} std; " + ", ".join(f"{label} {value:.1e}" for label, value in seen.items()))
    if all(file.tensors[n].shape[1] % 32 == 0 for n in file.tensors if file.tensors[n].ndim == 2):
        print(f"  with int8 activations {deviation(file, cases, int8=True):.2f} std")
    assert right < 2e-5, "the two references differ"
    assert min(seen.values()) > 4e-4, "a mistake would pass"


def write_bad(out):
    """Files with one thing wrong each, made from deep-2."""
    good = (out / "deep-2.gguf").read_bytes()

    def replaced(old, new):
        assert good.count(old) == 1 and len(old) == len(new)
        return good.replace(old, new)

    def entry(name, dims, kind):  # one row of the tensor table, without the offset
        return (struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", len(dims))
                + struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<I", kind))

    text = lambda s: struct.pack("<Q", len(s)) + s.encode()
    bad = {
        "unknown-arch": replaced(text("general.architecture") + struct.pack("<I", 8) + text("llama"),
                                 text("general.architecture") + struct.pack("<I", 8) + text("mamb9")),
        "unknown-type": replaced(entry("blk.1.ffn_up.weight", (32, 32), 2), entry("blk.1.ffn_up.weight", (32, 32), 77)),
        "missing-tensor": replaced(b"blk.1.ffn_norm.weight", b"blk.1.fff_norm.weight"),
        "wrong-shape": replaced(entry("blk.0.attn_k.weight", (32, 32), 2), entry("blk.0.attn_k.weight", (64, 16), 2)),
        "no-heads": replaced(text("llama.attention.head_count"), text("llama.attention.head_cuont")),
    }
    (out / "bad").mkdir(exist_ok=True)
    for name, data in bad.items():
        (out / "bad" / (name + ".gguf")).write_bytes(data)


def main():
    out = pathlib.Path(sys.argv[1])
    names = [a for a in sys.argv[2:] if a != "--check"]
    for name, spec in SPECS.items():
        if names and name not in names:
            continue
        path = out / (name + ".gguf")
        write_checkpoint(path, name, spec)
        file = LlamaFile(path)
        cases = reference_cases(file, name, spec)
        write_logits(out / (name + ".logits"), file.vocab, cases)
        sizes = path.stat().st_size, (out / (name + ".logits")).stat().st_size
        assert max(sizes) <= 600_000, f"{name} is too large to keep: {sizes}"
        if "--check" in sys.argv:
            check(file, name, cases)
    if names:
        return
    write_bad(out)
    # The chat model is trained by make_tiny_chat.py; only its logits are made here.
    chat = out / "tiny-chat.gguf"
    if chat.exists():
        file = LlamaFile(chat)
        cases = reference_cases(file, "tiny-chat", {}, CHAT)
        write_logits(out / "tiny-chat.logits", file.vocab, cases)
        if "--check" in sys.argv:
            print(f"tiny-chat: {deviation(file, cases):.2e} std, "
                  f"with int8 activations {deviation(file, cases, int8=True):.2f} std")


if __name__ == "__main__":
    main()
