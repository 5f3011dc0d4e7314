"""Logits of the hand-edited models of tests/e2e/graph, from a plain forward pass in double precision.

    make_graph_references.py FIXTURES GRAPH_DIR [--check]

One function for each model.mlir, written from the meaning of its text and sharing no code with the compiler. Also makes
`one-to-five.gguf`, the weights of the two models that show a norm's own numbers. `--check` shows how far each model is
from the graph that it was edited from: the edit must be visible.
"""
import pathlib
import sys
import zlib

import gguf
import numpy as np
from llama_reference import LlamaFile, write_logits

EPS = 1e-5
SCALE = 18 ** -0.5
# Length => rows to keep: all of a short list; around the borders of the windows and of a page of 32 in a long one.
LENGTHS = {1: [0], 7: list(range(7)), 70: [32, 33, 69]}

sigmoid = lambda v: 1 / (1 + np.exp(-v))
silu = lambda v: v * sigmoid(v)
gelu_quick = lambda v: v * sigmoid(1.702 * v)
gelu_tanh = lambda v: 0.5 * v * (1 + np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v ** 3)))
relu = lambda v: np.maximum(v, 0)


def gelu_erf(v):
    from math import erf

    return 0.5 * v * (1 + np.vectorize(erf)(v / np.sqrt(2)))


def rms(x, gain=1.0, eps=EPS):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * gain


def layer_norm(x, gain=1.0, bias=0.0, eps=EPS):
    centered = x - x.mean(-1, keepdims=True)
    return centered / np.sqrt((centered * centered).mean(-1, keepdims=True) + eps) * gain + bias


def rms_by_head(x, head_dim, gain=1.0, eps=EPS):
    return rms(x.reshape(len(x), -1, head_dim), gain, eps).reshape(x.shape)


def rope(x, head_dim, base=None, *, dims=None, half=False, freqs=None, factor=1.0):
    """Position t, pair j: an angle of t * base ** (-2 j / dims); both rounded to float32, as the op says."""
    dims = dims or head_dim
    if freqs is None:
        freqs = base ** (-np.arange(0, dims, 2) / dims)
    angle = np.arange(len(x), dtype=np.float32)[:, None] * np.asarray(freqs).astype(np.float32)
    angle = angle.astype(np.float64)[:, None, :]
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    heads = x.reshape(len(x), -1, head_dim)
    first, second = (slice(0, dims // 2), slice(dims // 2, dims)) if half else (slice(0, dims, 2), slice(1, dims, 2))
    out = heads.copy()
    out[..., first] = heads[..., first] * cos - heads[..., second] * sin
    out[..., second] = heads[..., second] * cos + heads[..., first] * sin
    return out.reshape(x.shape)


def attention(q, k, v, heads, kv_heads, *, scale=SCALE, window=0, softcap=0.0):
    n = len(q)
    q, k, v = q.reshape(n, heads, -1), k.reshape(n, kv_heads, -1), v.reshape(n, kv_heads, -1)
    query, key = np.arange(n)[:, None], np.arange(n)[None, :]
    visible = key <= query
    if window:
        visible &= key > query - window
    out = np.empty((n, heads, v.shape[-1]))
    for head in range(heads):
        group = head // (heads // kv_heads)
        score = q[:, head] @ k[:, group].T * scale
        if softcap:
            score = softcap * np.tanh(score / softcap)
        p = np.exp(np.where(visible, score, -np.inf))
        out[:, head] = p / p.sum(-1, keepdims=True) @ v[:, group]
    return out.reshape(n, -1)


class Checkpoint:
    """A fixture's weights in double precision, by their short names."""

    def __init__(self, path):
        self.file = LlamaFile(path)
        self.heads, self.kv_heads, self.d, self.layers = (
            self.file.heads, self.file.kv_heads, self.file.head_dim, self.file.layers)
        self.base = float(self.file.rope_base)
        self.table, self.norm = self.tensor("token_embd.weight"), self.tensor("output_norm.weight")
        self.head = self.table if self.file.tied else self.tensor("output.weight")

    def tensor(self, name):
        return self.file.tensors[name].astype(np.float64)

    def layer(self, i):
        """g1, wq, wk, wv, wo, g2, wg, wu, wd, as every model names them."""
        names = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
        return [self.tensor(f"blk.{i}.{name}.weight") for name in names]

    def attend(self, q, k, v, base=None, **more):
        """Rotates q and k, then attends."""
        base = base or self.base
        return attention(rope(q, self.d, base), rope(k, self.d, base), v, self.heads, self.kv_heads, **more)

    def attend_unrotated(self, q, k, v, **more):
        return attention(q, k, v, self.heads, self.kv_heads, **more)

    def run(self, tokens, layer, embed=None, final=None):
        """layer(h, i) is a whole layer."""
        x = embed(tokens) if embed else self.table[tokens]
        for i in range(self.layers):
            x = layer(x, i)
        return final(x) if final else rms(x, self.norm) @ self.head.T


def gated(m, wg, wu, wd, act=silu):
    return (act(m @ wg.T) * (m @ wu.T)) @ wd.T


def usual(c, *, act=silu, base=None, **more):
    """The checkpoint's own layer, with another activation, base, window or softcap; the last ones by layer."""

    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        chosen = {key: value[i] if isinstance(value, list) else value for key, value in more.items()}
        n = rms(h, g1)
        a = c.attend(n @ wq.T, n @ wk.T, n @ wv.T, base[i] if base else None, **chosen)
        h = h + a @ wo.T
        return h + gated(rms(h, g2), wg, wu, wd, act)

    return layer


def gelu_erf_model(c, tokens):
    return c.run(tokens, usual(c, act=gelu_erf))


def gelu_tanh_model(c, tokens):
    return c.run(tokens, usual(c, act=gelu_tanh))


def norm_after_attention(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        h = h + rms(c.attend(n @ wq.T, n @ wk.T, n @ wv.T) @ wo.T, g1)
        return h + gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer)


def double_norm(c, tokens):
    other = c.tensor("blk.0.ffn_norm.weight")
    return c.run(tokens, usual(c), final=lambda x: rms(rms(x, c.norm), other, 1e-3) @ c.head.T)


def dropped_residual(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        h = h + c.attend(n @ wq.T, n @ wk.T, n @ wv.T) @ wo.T
        return gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer)


def layer_kinds(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        q, k, v = n @ wq.T, n @ wk.T, n @ wv.T
        if i == 0:  # neither rotation nor gate
            h = h + c.attend_unrotated(q, k, v) @ wo.T
            return h + relu(rms(h, g2) @ wu.T) ** 2 @ wd.T
        h = h + c.attend(q, k, v) @ wo.T
        return h if i == 1 else h + gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer)


def rope_table(c, tokens):
    return c.run(tokens, usual(c, base=[1e4, 50.0, 1e6]))


def window(c, tokens):
    return c.run(tokens, usual(c, window=16))


def window_table(c, tokens):
    return c.run(tokens, usual(c, window=[0, 20, 33]))


def softcap(c, tokens):
    return c.run(tokens, usual(c, softcap=2.0), final=lambda x: 1.5 * np.tanh(rms(x, c.norm) @ c.head.T / 1.5))


def layer_norm_model(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = layer_norm(h, g1, g2)
        h = h + c.attend(n @ wq.T, n @ wk.T, n @ wv.T) @ wo.T
        return h + gated(layer_norm(h), wg, wu, wd)

    return c.run(tokens, layer, final=lambda x: layer_norm(x, c.norm) @ c.head.T)


def rows(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        h = h + c.attend(n @ wq.T, n @ wu[:36].T, n @ wu[36:72].T) @ wo.T
        return h + gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer)


def scaled(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        h = h + 1.7 * (c.attend(n @ wq.T, n @ wk.T, n @ wv.T) @ wo.T)
        return h - 0.3 * gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer)


def norm_read_twice(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        h = n + c.attend(n @ wq.T, n @ wk.T, n @ wv.T) @ wo.T
        return h + gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer)


def parallel(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        return h + c.attend(n @ wq.T, n @ wk.T, n @ wv.T) @ wo.T + gated(n, wg, wu, wd)

    return c.run(tokens, layer)


def weight_algebra(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        h = h + c.attend(n @ (wq @ wv).T, n @ (wk + wv).T, n @ wv.T) @ wo  # wo transposed
        return h + gated(rms(h, g2), wg, wd.T, wd)

    return c.run(tokens, layer)


def head_norm(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        q, k = rms_by_head(n @ wq.T, c.d) * g2, rms_by_head(n @ wk.T, c.d)
        h = h + c.attend(q, k, n @ wv.T) @ wo.T
        return h + gated(rms(h, 1 + g2), wg, wu, wd)

    return c.run(tokens, layer)


def head_norm_shared(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        q = rms_by_head(n @ wq.T, c.d, 1 + g1[:18], 0.25)
        k = rms_by_head(n @ wk.T, c.d, 1 + g2[54:], 0.25)
        h = h + c.attend(q, k, n @ wv.T) @ wo.T
        return h + gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer)


def bias(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        h = h + c.attend(n @ wq.T + g1, n @ wk.T + g2, n @ wv.T) @ wo.T + g2
        return h + gated(rms(h, g2), wg, wu, wd) + g1

    return c.run(tokens, layer)


def activations(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        o = c.attend(n @ wq.T, n @ wk.T, n @ wv.T) @ wo.T
        if i == 2:
            h = h + relu(o)
            return h + np.clip(np.tanh(rms(h, g2) @ wu.T), -0.5, 0.75) @ wd.T
        h = h + o
        return h + gated(rms(h, g2), wg, wu, wd, gelu_quick if i == 0 else sigmoid)

    return c.run(tokens, layer)


def rotations(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        q, k, v = n @ wq.T, n @ wk.T, n @ wv.T
        if i == 0:
            q, k = (rope(x, c.d, 1e4, dims=8, factor=1.25) for x in (q, k))
        elif i == 1:
            q, k = (rope(x, c.d, dims=8, half=True, freqs=[1.0, 0.3, 0.05, 0.01]) for x in (q, k))
        else:
            q = rope(q, c.d, 1e4)
        h = h + c.attend_unrotated(q, k, v) @ wo.T
        return h + gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer)


def positions(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        h = h + c.attend_unrotated(n @ wq.T, n @ wk.T, n @ wv.T) @ wo.T
        return h + gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer, embed=lambda t: 2 * c.table[t] + 0.25 * c.head[3 + np.arange(len(t))])


def two_caches(c, tokens):
    def layer(h, i):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        a = c.attend(n @ wq.T, n @ wk.T, n @ wv.T)
        a = a + attention(n @ wu[:72].T, n @ wg[:36].T, n @ wq[:54].T, 6, 3, scale=0.3)
        h = h + a @ wo.T
        return h + gated(rms(h, g2), wg, wu, wd)

    return c.run(tokens, layer)


def two_streams(c, tokens):
    h = other = c.table[tokens]
    for i in range(c.layers):
        g1, wq, wk, wv, wo, g2, wg, wu, wd = c.layer(i)
        n = rms(h, g1)
        o = c.attend(n @ wq.T, n @ wk.T, n @ wv.T) @ wo.T
        h1 = h + o
        h, other = other + o, h1 + gated(rms(h1, g2), wg, wu, wd)
    return rms(h + other, c.norm) @ c.head.T


MODELS = {
    "activations": ("llama-mqa", activations),
    "bias": ("llama-mha", bias),
    "double-norm": ("llama-gqa", double_norm),
    "dropped-residual": ("llama-gqa", dropped_residual),
    "gelu-erf": ("llama-gqa", gelu_erf_model),
    "gelu-tanh": ("llama-gqa", gelu_tanh_model),
    "head-norm": ("llama-mha", head_norm),
    "head-norm-shared": ("llama-gqa", head_norm_shared),
    "layer-kinds": ("llama-mqa", layer_kinds),
    "layer-norm": ("llama-gqa", layer_norm_model),
    "norm-after-attention": ("llama-gqa", norm_after_attention),
    "norm-read-twice": ("llama-gqa", norm_read_twice),
    "parallel": ("llama-gqa", parallel),
    "positions": ("llama-gqa", positions),
    "rope-table": ("llama-mqa", rope_table),
    "rotations": ("llama-mqa", rotations),
    "rows": ("llama-gqa", rows),
    "scaled": ("llama-gqa", scaled),
    "softcap": ("llama-gqa", softcap),
    "two-caches": ("llama-gqa", two_caches),
    "two-streams": ("llama-mqa", two_streams),
    "weight-algebra": ("llama-mha", weight_algebra),
    "window": ("llama-gqa", window),
    "window-table": ("llama-mqa", window_table),
}


def write_norm_rows(out):
    """Token 0 is the row 1, 2, 3, 4, 5; the expected numbers are the known ones, to four decimals."""
    w = gguf.GGUFWriter(out / "one-to-five.gguf", "rows")
    row = np.arange(1, 6, dtype=np.float32)
    w.add_tensor("token_embd.weight", np.stack([row, row[::-1], row * row, -row, np.roll(row, 2)]))
    w.add_tensor("gain", np.ones(5, dtype=np.float32))
    w.add_tensor("output.weight", np.eye(5, dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    normed = {"rms-norm-row": ([0.3015, 0.6030, 0.9045, 1.2060, 1.5076], rms(row.astype(np.float64))),
              "layer-norm-row": ([-1.4142, -0.7071, 0.0, 0.7071, 1.4142], layer_norm(row.astype(np.float64)))}
    for name, (known, exact) in normed.items():
        assert np.abs(np.asarray(known) - exact).max() < 6e-5
        write_logits(out / (name + ".logits"), 5, [([0], [0], [known]), ([0, 2, 3, 0, 1, 4, 0], [0, 3, 6], [known] * 3)])


def main():
    fixtures, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    opened = {}
    for name, (fixture, model) in MODELS.items():
        c = opened.setdefault(fixture, Checkpoint(fixtures / (fixture + ".gguf")))
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        cases, seen = [], 0.0
        for length, kept in LENGTHS.items():
            tokens = rng.integers(0, c.file.vocab, length)
            logits = model(c, tokens)[kept]
            cases.append((tokens.tolist(), kept, logits))
            if length == max(LENGTHS):
                usually = c.run(tokens, usual(c))[kept]
                seen = float((np.abs(usually - logits) / logits.std(-1, keepdims=True)).max())
        write_logits(out / (name + ".logits"), c.file.vocab, cases)
        if "--check" in sys.argv:
            print(f"{name}: {seen:.2e} std from {fixture}'s own graph")
        assert seen > 4e-4, f"{name}: the edit does not show"
    write_norm_rows(out)


if __name__ == "__main__":
    main()
