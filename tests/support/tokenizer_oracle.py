"""Compares our tokenizers with the reference libraries on 2,000 texts each.

  tokenizer_oracle.py --tool BUILD/bin/tokenize_list --work FOLDER [--vocabularies FOLDER] [--count N] [--only NAME]

Real vocabularies: ggml-vocab-*.gguf (the sdist of llama-cpp-python holds them, --vocabularies names their folder) and
those that the package mistral-common brings along. The references are the packages tokenizers, sentencepiece and
mistral-common; for GGUF files a tokenizers object is made from the vocabulary and the published pattern.
Exit status 77: nothing to compare with."""
import argparse
import base64
import json
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tokenizer_texts

try:
    import sentencepiece
    import tokenizers
    from tokenizers import Regex, models, normalizers, pre_tokenizers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"


def splits(*patterns):
    return [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]


def byte_level(*before, regex=True):
    return pre_tokenizers.Sequence([*before, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)])


NFC = normalizers.NFC()
DIGITS = pre_tokenizers.Digits(individual_digits=True)
# name: pre-tokenizer, normalizer, ignore_merges
BPE = {
    "gpt-2": (byte_level(), None, False),
    "gpt-neox": (byte_level(), NFC, False),
    "mpt": (byte_level(), NFC, False),
    "llama-bpe": (byte_level(*splits(LLAMA3), regex=False), None, True),
    "qwen2": (byte_level(*splits(QWEN2), regex=False), NFC, False),
    "qwen35": (byte_level(*splits(QWEN35), regex=False), None, False),
    "starcoder": (byte_level(DIGITS), None, False),
    "refact": (byte_level(DIGITS), None, False),
    "command-r": (byte_level(DIGITS), NFC, False),
    "deepseek-coder": (byte_level(*splits(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK), DIGITS, regex=False), None, False),
}
FAMILY = {"gpt-neox": "gptneox"}


def field(reader, name, default=None):
    f = reader.fields.get(name)
    return default if f is None else f.contents()


def from_gguf(path, name):
    """A tokenizers object of a byte-level vocabulary."""
    import gguf
    reader = gguf.GGUFReader(path)
    tokens = field(reader, "tokenizer.ggml.tokens")
    types = field(reader, "tokenizer.ggml.token_type")
    merges = [tuple(m.split(" ")) for m in field(reader, "tokenizer.ggml.merges")]
    pre, norm, ignore = BPE[name]
    vocab = {}
    for i, t in enumerate(tokens):
        vocab.setdefault(t, i)
    t = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore))
    t.pre_tokenizer = pre
    if norm:
        t.normalizer = norm
    t.decoder = tokenizers.decoders.ByteLevel()
    user = [tokenizers.AddedToken(s, special=False, normalized=False) for s, k in zip(tokens, types) if k == 4]
    if user:
        t.add_tokens(user)
    special = [tokenizers.AddedToken(s, special=True, normalized=False) for s, k in zip(tokens, types) if k == 3]
    if special:
        t.add_special_tokens(special)
    return t


def proto_field(number, kind, payload):
    key = bytes([number << 3 | kind]) if number < 16 else bytes([number << 3 & 127 | kind | 128, number >> 4])
    if kind == 2:
        n, size = len(payload), b""
        while n > 127:
            size, n = size + bytes([n & 127 | 128]), n >> 7
        return key + size + bytes([n]) + payload
    return key + payload


def piece_model(path, is_unigram):
    """A SentencePiece model of the vocabulary in a GGUF file."""
    import gguf
    reader = gguf.GGUFReader(path)
    out = b""
    for t, s, k in zip(field(reader, "tokenizer.ggml.tokens"), field(reader, "tokenizer.ggml.scores"),
                       field(reader, "tokenizer.ggml.token_type")):
        out += proto_field(1, 2, proto_field(1, 2, t.encode()) + proto_field(2, 5, struct.pack("<f", s)) +
                           proto_field(3, 0, bytes([k])))
    has_bytes = 6 in set(field(reader, "tokenizer.ggml.token_type"))
    trainer = proto_field(3, 0, bytes([1 if is_unigram else 2])) + proto_field(35, 0, bytes([has_bytes]))
    charsmap = bytes(b & 255 for b in field(reader, "tokenizer.ggml.precompiled_charsmap", []))
    collapses = bool(field(reader, "tokenizer.ggml.remove_extra_whitespaces", False))
    norm = (proto_field(2, 2, charsmap) if charsmap else b"") + proto_field(3, 0, b"\1") + proto_field(4, 0, bytes([collapses]))
    return out + proto_field(2, 2, trainer) + proto_field(3, 2, norm)


def tekken_json(path):
    """tokenizer.json of a tekken file: the merges are what splits each token by the ranks below its own."""
    source = json.load(open(path))
    n_special, n = source["config"]["default_num_special_tokens"], source["config"]["default_vocab_size"]
    ranked = [base64.b64decode(t["token_bytes"]) for t in source["vocab"]][:n - n_special]
    rank = {b: i for i, b in enumerate(ranked)}
    keys = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    alphabet = {b: chr(b) for b in keys}
    for b in range(256):
        alphabet.setdefault(b, chr(256 + b - sum(k < b for k in keys)))
    spell = lambda b: "".join(alphabet[c] for c in b)
    merges = []
    for i, token in enumerate(ranked):
        parts = [token[k:k + 1] for k in range(len(token))]
        while len(parts) > 2:
            best = min(range(len(parts) - 1), key=lambda k: rank.get(parts[k] + parts[k + 1], i))
            if rank.get(parts[best] + parts[best + 1], i) >= i:
                break
            parts[best:best + 2] = [parts[best] + parts[best + 1]]
        if len(parts) == 2:
            merges.append((spell(parts[0]), spell(parts[1])))
    vocab = {spell(b): i + n_special for i, b in enumerate(ranked)}
    t = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    t.pre_tokenizer = byte_level(*splits(source["config"]["pattern"]), regex=False)
    return t


class Comparison:
    def __init__(self, tool, count):
        self.tool, self.failed, self.compared = tool, 0, 0
        self.texts = [t.encode() for t in tokenizer_texts.texts(count)]

    def ours(self, path, texts):
        data = b"".join(struct.pack("<I", len(t)) + t for t in texts)
        run = subprocess.run([self.tool, path], input=data, capture_output=True)
        if run.returncode:
            raise RuntimeError(run.stderr.decode().strip())
        return [[int(i) for i in line.split()] for line in run.stdout.decode().split("\n")[:-1]]

    def check(self, name, path, reference, texts=None, allowed=0, why=""):
        texts = self.texts if texts is None else texts
        try:
            got = self.ours(path, texts)
        except RuntimeError as e:
            print(f"FAILED {name}: {e}")
            self.failed += 1
            return
        self.compared += 1
        bad = [(t, r, g) for t, g in zip(texts, got) if (r := reference(t)) != g]
        print(f"{'ok    ' if len(bad) <= allowed else 'FAILED'} {name}: {len(texts) - len(bad)} of {len(texts)} texts equal"
              + (f" ({why})" if bad and why else ""), flush=True)
        for t, r, g in bad[:3]:
            at = next((k for k, (a, b) in enumerate(zip(r, g)) if a != b), min(len(r), len(g)))
            print(f"    {t[:120]!r}: at {at} expected {r[at:at + 6]}, got {g[at:at + 6]}")
        self.failed += len(bad) > allowed


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--tool", required=True)
    options.add_argument("--work", required=True)
    options.add_argument("--vocabularies", default="")
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--only", default="")
    o = options.parse_args()
    os.makedirs(o.work, exist_ok=True)
    c = Comparison(o.tool, o.count)
    wanted = lambda name: o.only in name
    plain = lambda t: lambda text: t.encode(text.decode(), add_special_tokens=False).ids

    def vocabulary(name):
        path = os.path.join(o.vocabularies, f"ggml-vocab-{name}.gguf")
        return path if o.vocabularies and wanted(name) and os.path.exists(path) else None

    for name in BPE:
        if path := vocabulary(name):
            reference = from_gguf(path, name)
            c.check(name + " (gguf)", path, plain(reference))
            saved = os.path.join(o.work, name + ".json")
            reference.save(saved)
            c.check(name + " (json)", saved, plain(reference))
    for name, is_unigram in (("llama-spm", False), ("baichuan", False), ("nomic-bert-moe", True)):
        if path := vocabulary(name):
            saved = os.path.join(o.work, name + ".model")
            with open(saved, "wb") as f:
                f.write(piece_model(path, is_unigram))
            sp = sentencepiece.SentencePieceProcessor(model_file=saved)
            c.check(name + " (gguf)", path, sp.encode)
            c.check(name + " (model)", saved, sp.encode)
            c.check(name + " (model, invalid UTF-8)", saved, sp.encode, tokenizer_texts.invalid())
    try:
        import mistral_common
    except ImportError:
        mistral_common = None
    if mistral_common:
        data = os.path.join(os.path.dirname(mistral_common.__file__), "data")
        for name in sorted(os.listdir(data)):
            path = os.path.join(data, name)
            if ".model.v" in name and wanted(name):
                sp = sentencepiece.SentencePieceProcessor(model_file=path)
                c.check(name, path, sp.encode)
            elif name.startswith("tekken") and wanted(name):
                from mistral_common.tokens.tokenizers.tekken import Tekkenizer
                reference = Tekkenizer.from_file(path)
                saved = os.path.join(o.work, name)
                tekken_json(path).save(saved)
                c.check(name, saved, lambda text: reference.encode(text.decode(), bos=False, eos=False))
    if not c.compared and not c.failed:
        print("skipped: no vocabularies found")
        return 77
    print(f"{c.compared} vocabularies compared, {c.failed} failed")
    return 1 if c.failed else 0


sys.exit(main())
