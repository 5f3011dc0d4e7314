"""Writes tests/fixtures/tokenizers: tiny tokenizers of each kind, and what the reference libraries make of some texts.

  make_tiny_tokenizers.py FOLDER        needs the packages tokenizers and sentencepiece
"""
import collections
import io
import json
import math
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sentencepiece
import tokenizer_texts
import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
corpus = tokenizer_texts.WORDS * 3 + tokenizer_texts.CODE
texts = [t for t in tokenizer_texts.texts(160, seed=5) if len(t) < 60][:40] + [
    "<s>hello</s>", "a <user> b", "a<user>b", "  <mask>  x", "word1 word wordy word", "<|end|> x", "x  <|end|>  <s>", "e\u0301", "ABC ①ﬁ"]
malformed = tokenizer_texts.invalid(30, seed=6) + ["a\ufffdb".encode() + b"\xff"]
goldens = {}


def save(name, t, decodes=True):
    path = os.path.join(folder, name + ".json")
    data = json.loads(t.to_str())
    with open(path, "w") as f:
        json.dump(data, f, ensure_ascii=False, separators=(",", ":"))
    t = tokenizers.Tokenizer.from_file(path)
    goldens[name + ".json"] = [dict(text=x, ids=(ids := t.encode(x).ids), **({"decoded": t.decode(ids)} if decodes else {}))
                               for x in texts]


def bpe(size=420, alphabet=None, specials=("<unk>", "<s>", "</s>"), **options):
    t = tokenizers.Tokenizer(models.BPE(**options))
    trainer = dict(vocab_size=size, special_tokens=[AddedToken(s, special=True, normalized=False) for s in specials],
                   show_progress=False, initial_alphabet=alphabet or [])
    return t, trainers.BpeTrainer(**trainer)


def words(t):
    """The corpus as the normalizer and the pre-tokenizer leave it."""
    for line in corpus:
        for word, _ in t.pre_tokenizer.pre_tokenize_str(t.normalizer.normalize_str(line)):
            yield word


def trained_bpe(t, size, prefix="", suffix=""):
    """A BPE model with affixes of words. The library's trainer orders pairs of equal count differently from run to run."""
    counts = collections.Counter(words(t))
    spelled = {w: [(prefix if i else "") + c + (suffix if i == len(w) - 1 else "") for i, c in enumerate(w)] for w in counts}
    vocab = ["<unk>", "<s>", "</s>"] + sorted({s for parts in spelled.values() for s in parts})
    merges = []
    while len(vocab) < size:
        pairs = collections.Counter()
        for word, parts in spelled.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += counts[word]
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merged = left + right.removeprefix(prefix)
        merges.append((left, right))
        if merged not in vocab:
            vocab.append(merged)
        for parts in spelled.values():
            for i in range(len(parts) - 2, -1, -1):
                if parts[i:i + 2] == [left, right]:
                    parts[i:i + 2] = [merged]
    affixes = dict(**({"continuing_subword_prefix": prefix} if prefix else {}), **({"end_of_word_suffix": suffix} if suffix else {}))
    t.model = models.BPE(vocab={s: i for i, s in enumerate(vocab)}, merges=merges, unk_token="<unk>", **affixes)
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in vocab[:3]])


def trained_unigram(t, size, specials):
    """A Unigram model of the characters and the most frequent parts of words, for the same reason."""
    parts = collections.Counter(w[i:k] for w in words(t) for i in range(len(w)) for k in range(i + 1, min(i + 8, len(w)) + 1))
    order = sorted(parts, key=lambda s: (len(s) > 1, -parts[s] * len(s), s))
    total = sum(parts.values())
    pieces = [(s, round(math.log(parts[s] / total), 6)) for s in order[:size - len(specials)]]
    t.model = models.Unigram([(s, 0.0) for s in specials] + pieces, unk_id=specials.index("<unk>"))
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in specials])


bytes_alphabet = pre_tokenizers.ByteLevel.alphabet()
t, trainer = bpe(alphabet=bytes_alphabet, ignore_merges=True)
t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                           pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
t.decoder = decoders.ByteLevel()
t.train_from_iterator(corpus, trainer)
t.post_processor = processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])])
save("byte-level-split", t)

t, trainer = bpe(alphabet=bytes_alphabet)
t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel()
t.train_from_iterator(corpus, trainer)
t.add_tokens([AddedToken("<user>", normalized=False), AddedToken("word", single_word=True, normalized=False)])
t.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False), AddedToken("<|end|>", rstrip=True, normalized=False)])
t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1))
save("byte-level-prefix", t, decodes=False)

t, trainer = bpe(alphabet=bytes_alphabet)
t.normalizer = normalizers.NFC()
t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
t.decoder = decoders.ByteLevel()
t.train_from_iterator(corpus, trainer)
save("byte-level-digits", t)

# BPE over characters, as Llama 2 is stored.
t, trainer = bpe(unk_token="<unk>", fuse_unk=True, byte_fallback=True,
                 specials=["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)], size=600)
t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
t.train_from_iterator(corpus, trainer)
data = json.loads(t.to_str())
data["added_tokens"] = data["added_tokens"][:3]
t = tokenizers.Tokenizer.from_str(json.dumps(data))
t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
t.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
save("characters-byte-fallback", t, decodes=False)

for fuse in (False, True):
    t, trainer = bpe(unk_token="<unk>", fuse_unk=fuse, size=300)
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first" if fuse else "always", split=fuse)
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    t.train_from_iterator(corpus[:60], trainer)
    t.add_tokens([AddedToken("<user>", normalized=False)])
    save("characters-metaspace-" + ("first" if fuse else "always"), t, decodes=False)

t = tokenizers.Tokenizer(models.BPE())
t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
trained_bpe(t, 420, prefix="##")
t.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 1))
save("characters-bert", t, decodes=False)

t = tokenizers.Tokenizer(models.BPE())
t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()])
t.pre_tokenizer = pre_tokenizers.Whitespace()
trained_bpe(t, 420, suffix="</w>")
save("characters-suffix", t, decodes=False)

for i, steps in enumerate([
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("merged_with_previous")],
        [pre_tokenizers.Split("e", "merged_with_next"), pre_tokenizers.Split(Regex(r"[0-9]"), "contiguous")],
        [pre_tokenizers.Split(Regex(r"\w+|[^\w\s]+"), "removed", invert=True), pre_tokenizers.Digits(False)],
        [pre_tokenizers.Split(Regex(r"[\p{Lu}\p{Ll}\p{Lo}&&[^\p{Han}]]+|[\p{Han}]+| ?[^(\s|[.,!?])]+"), "isolated")]]):
    t, trainer = bpe(unk_token="<unk>", size=260)
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s{2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Sequence(steps)
    t.train_from_iterator(corpus[:40], trainer)
    save(f"splits-{i}", t, decodes=False)

t = tokenizers.Tokenizer(models.Unigram())
t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
t.pre_tokenizer = pre_tokenizers.Metaspace()
t.decoder = decoders.Metaspace()
trained_unigram(t, 400, ["<pad>", "</s>", "<unk>"])
t.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", t.token_to_id("</s>"))])
save("unigram", t, decodes=False)

with tempfile.TemporaryDirectory() as temporary:
    # The model file keeps the path of its rules: a relative one is the same on every machine.
    folder = os.path.abspath(folder)
    os.chdir(temporary)
    rules = "rules.tsv"
    with open(rules, "w") as f:
        f.write("FB01\t66 69\n65 301\tE9\n2460\t31\n3000\t20\nA0\t20\nFF21\t41\nFFFD\t20\n")
    for kind in ("bpe", "unigram"):
        for collapses in (False, True):
            out = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(corpus), model_writer=out, model_type=kind, vocab_size=560 if not collapses else 300,
                byte_fallback=not collapses, character_coverage=0.98, hard_vocab_limit=False, minloglevel=2, num_threads=1,
                normalization_rule_tsv=rules, remove_extra_whitespaces=collapses, add_dummy_prefix=kind == "bpe" or collapses,
                user_defined_symbols=["<user>", "▁▁"] if kind == "bpe" else [], allow_whitespace_only_pieces=kind == "bpe")
            name = f"sentencepiece-{kind}-{'collapsing' if collapses else 'bytes'}.model"
            with open(os.path.join(folder, name), "wb") as f:
                f.write(out.getvalue())
            sp = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
            # The text of control tokens is plain text to this library.
            # It shows an unknown token as U+2047 instead of its name, and drops two marks at the start.
            goldens[name] = [dict(text=x, ids=(ids := sp.encode(x)), plain=True,
                                  **({} if sp.unk_id() in ids or x.startswith("▁") else {"decoded": sp.decode(ids)})) for x in texts]
            goldens[name] += [dict(hex=x.hex(), ids=sp.encode(x), plain=True) for x in malformed]
    os.chdir(folder)
with open(os.path.join(folder, "goldens.json"), "w") as f:
    json.dump(goldens, f, ensure_ascii=False, indent=None, separators=(",", ":"))
    f.write("\n")
