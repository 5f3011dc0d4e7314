"""Compares our tokenizers with the reference libraries on 2,000 texts each.

  tokenizer_oracle.py --tool BUILD/bin/tokenize_list --work FOLDER [--all] [--count N] [--only NAME]

The libraries (tokenizers, sentencepiece, tiktoken) and packages that bring real vocabularies along are fetched with pip
into the folder; a second run fetches nothing. --all adds those that take long to fetch or to compare, above all
the ggml-vocab-*.gguf in the sdist of llama-cpp-python (77 MB).
Exit status 77: nothing to compare with."""
import argparse
import glob
import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tokenizer_packages as packages
import tokenizer_texts


class Comparison:
    def __init__(self, tool, work, count):
        self.tool, self.work, self.failed, self.compared = tool, work, 0, 0
        self.texts = [t.encode() for t in tokenizer_texts.texts(count)]

    def ours(self, path, texts):
        data = b"".join(struct.pack("<I", len(t)) + t for t in texts)
        run = subprocess.run([self.tool, path], input=data, capture_output=True)
        if run.returncode:
            raise RuntimeError(run.stderr.decode().strip())
        return [[int(i) for i in line.split()] for line in run.stdout.decode().split("\n")[:-1]]

    def check(self, name, path, reference, texts=None):
        texts, start = self.texts if texts is None else texts, time.monotonic()
        try:
            got = self.ours(path, texts)
        except RuntimeError as e:
            print(f"FAILED {name}: {e}")
            self.failed += 1
            return
        self.compared += 1
        bad = [(t, r, g) for t, g in zip(texts, got) if (r := reference(t)) != g]
        print(f"{'ok    ' if not bad else 'FAILED'} {name}: {len(texts) - len(bad)} of {len(texts)} texts equal, "
              f"{time.monotonic() - start:.1f} s", flush=True)
        for t, r, g in bad[:3]:
            at = next((k for k, (a, b) in enumerate(zip(r, g)) if a != b), min(len(r), len(g)))
            print(f"    {t[:120]!r}: at {at} expected {r[at:at + 6]}, got {g[at:at + 6]}")
        self.failed += bool(bad)


def compare_ranked(c, refs, name, path, ranked, pattern, first=0, form=None):
    from tokenizers import normalizers
    saved = os.path.join(c.work, name + ".json")
    if not os.path.exists(saved):
        refs.ranked_json(ranked, pattern, first, normalizers.NFC() if form else None).save(saved + ".part")
        os.rename(saved + ".part", saved)
    c.check(name, saved, refs.ranked_reference(ranked, pattern, first, form))


def compare_piece_gguf(c, refs, name, path, is_unigram):
    import sentencepiece
    saved = os.path.join(c.work, name + ".model")
    with open(saved, "wb") as f:
        f.write(refs.piece_model(path, is_unigram))
    sp = sentencepiece.SentencePieceProcessor(model_file=saved)
    c.check(name + " (gguf)", path, sp.encode)
    c.check(name + " (model)", saved, sp.encode)
    c.check(name + " (model, invalid UTF-8)", saved, sp.encode, tokenizer_texts.invalid())


PIECES = {"llama-spm": False, "phi-3": False, "baichuan": False, "nomic-bert-moe": True}  # name: is it Unigram


def compare(c, refs, path):
    import sentencepiece
    import tokenizers
    name = os.path.basename(path)
    kind = name.removeprefix("ggml-vocab-").removesuffix(".gguf")
    if ".model" in name:
        c.check(name, path, sentencepiece.SentencePieceProcessor(model_file=path).encode)
    elif name.startswith("tekken"):
        compare_ranked(c, refs, name, path, *refs.tekken(path))
    elif name.endswith(".tiktoken"):
        compare_ranked(c, refs, name, path, *refs.tiktoken_file(path), form="NFC" if "qwen" in name else None)
    elif name.endswith(".json"):
        c.check(name, path, refs.plain(tokenizers.Tokenizer.from_file(path)))
    elif kind in PIECES:
        compare_piece_gguf(c, refs, kind, path, PIECES[kind])
    elif kind in refs.BPE:
        reference = refs.byte_level_gguf(path, kind)
        c.check(kind + " (gguf)", path, refs.plain(reference))
        saved = os.path.join(c.work, kind + ".json")
        reference.save(saved)
        c.check(kind + " (json)", saved, refs.plain(reference))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--tool", required=True)
    options.add_argument("--work", required=True)
    options.add_argument("--all", action="store_true")
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--only", default="")
    o = options.parse_args()
    work = os.path.abspath(o.work)
    os.makedirs(work, exist_ok=True)
    c = Comparison(os.path.abspath(o.tool), work, o.count)
    try:
        packages.libraries(work)
        folders = [packages.vocabularies(work, p) for p in [*packages.WHEELS, *(packages.SOURCES if o.all else [])]]
    except packages.Unreachable as e:
        print(f"skipped: {e}")
        return 77
    import tokenizer_references as refs
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "*"))):
            if o.only in path:
                compare(c, refs, path)
    print(f"{c.compared} comparisons, {c.failed} failed")
    return 1 if c.failed or not c.compared else 0


sys.exit(main())
