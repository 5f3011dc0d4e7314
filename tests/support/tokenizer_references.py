"""The reference library's tokenizer for a file of a real vocabulary: each function gives a callable from bytes of
text to ids; some first write a file in a form that llmc reads."""
import base64
import json
import struct
import unicodedata

import sentencepiece
import tiktoken
import tokenizers
from tokenizers import Regex, models, normalizers, pre_tokenizers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
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


def gguf_metadata(path):
    """The keys of a GGUF file and their values."""
    data, at = open(path, "rb").read(), 24

    def take(form):
        nonlocal at
        size = struct.calcsize("<" + form)
        at += size
        return struct.unpack_from("<" + form, data, at - size)

    def value(kind):
        nonlocal at
        if kind == 8:
            n, = take("Q")
            at += n
            return data[at - n:at].decode()
        if kind == 9:
            kind, n = take("IQ")
            return [value(8) for _ in range(n)] if kind == 8 else list(take(f"{n}{form(kind)}"))
        return take(form(kind))[0]

    form = lambda kind: "BbHhIif?"[kind] if kind < 8 else "Qqd"[kind - 10]
    return {value(8): value(take("I")[0]) for _ in range(struct.unpack_from("<Q", data, 16)[0])}


def byte_level_gguf(path, name):
    """A tokenizers object of a byte-level vocabulary."""
    keys = gguf_metadata(path)
    tokens, types = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    merges = [tuple(m.split(" ")) for m in keys["tokenizer.ggml.merges"]]
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
    keys = gguf_metadata(path)
    field = lambda name, default=None: keys.get("tokenizer.ggml." + name, default)
    out = bytearray()
    for i, (t, s, k) in enumerate(zip(field("tokens"), field("scores"), field("token_type"))):
        if k == 2 and i != field("unknown_token_id", i):
            k = 3  # the library takes one unknown token only
        out += proto_field(1, 2, proto_field(1, 2, t.encode()) + proto_field(2, 5, struct.pack("<f", s)) +
                           proto_field(3, 0, bytes([k])))
    has_bytes = 6 in field("token_type")
    trainer = proto_field(3, 0, bytes([1 if is_unigram else 2])) + proto_field(35, 0, bytes([has_bytes]))
    charsmap = bytes(b & 255 for b in field("precompiled_charsmap", []))
    collapses = bool(field("remove_extra_whitespaces", False))
    norm = (proto_field(2, 2, charsmap) if charsmap else b"") + proto_field(3, 0, b"\1") + proto_field(4, 0, bytes([collapses]))
    return out + proto_field(2, 2, trainer) + proto_field(3, 2, norm)


def ranked_json(ranked, pattern, first=0, norm=None):
    """tokenizer.json of tokens in the order of their ranks, the first of which has the id `first`: the merges are what
    splits each token by the ranks below its own."""
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
    vocab = {spell(b): i + first for i, b in enumerate(ranked)}
    t = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    t.pre_tokenizer = byte_level(*splits(pattern), regex=False)
    if norm:
        t.normalizer = norm
    return t


def plain(t):
    return lambda text: t.encode(text.decode(), add_special_tokens=False).ids


def ranked_reference(ranked, pattern, first=0, form=None):
    t = tiktoken.Encoding("ranked", pat_str=pattern, mergeable_ranks={b: i for i, b in enumerate(ranked)}, special_tokens={})
    norm = (lambda text: unicodedata.normalize(form, text)) if form else (lambda text: text)
    return lambda text: [i + first for i in t.encode_ordinary(norm(text.decode()))]


def tekken(path):
    source = json.load(open(path))
    first, n = source["config"]["default_num_special_tokens"], source["config"]["default_vocab_size"]
    return [base64.b64decode(t["token_bytes"]) for t in source["vocab"]][:n - first], source["config"]["pattern"], first


def tiktoken_file(path):
    ranked = [base64.b64decode(line.split()[0]) for line in open(path, "rb") if line.strip()]
    return ranked, QWEN2 if "qwen" in path else GPT2
