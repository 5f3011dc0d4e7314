"""Fetches with pip what tokenizers are compared with: the reference libraries, and packages that bring real
vocabularies along. Everything stays in one folder; what is there is not fetched again."""
import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

LIBRARIES = ["regex", "sentencepiece==0.2.*", "tiktoken>=0.8,<1", "tokenizers>=0.20,<1"]
# package: which of its files are vocabularies
WHEELS = {
    "anthropic==0.38.0": ("anthropic/tokenizer.json",),
    "dashscope==1.24.*": ("dashscope/resources/qwen.tiktoken",),
    "mistral-common==1.13.1": ("mistral_common/data/tekken_", "mistral_common/data/tokenizer.model",
                              "mistral_common/data/mistral_instruct_tokenizer_"),
    "mon-tokenizer==1.0.1": ("mon_tokenizer/data/mon_tokenizer.json",),
}
SOURCES = {  # large, or pip builds something to get them
    "llama-cpp-python==0.3.36": ("/models/ggml-vocab-",),
    "openai-whisper==20250625": ("/whisper/assets/gpt2.tiktoken", "/whisper/assets/multilingual.tiktoken"),
}


class Unreachable(Exception):
    pass


def pip(*arguments, seconds):
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1",
               "--timeout", "15", *arguments]
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Unreachable(f"pip took more than {seconds} s")
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if line.strip()] or ["no message"]
        raise Unreachable("pip: " + next((line for line in lines if line.startswith("ERROR")), lines[-1]))


def once(target, fill):
    """Fills the folder `target` through `fill`, whole or not at all."""
    if not os.path.isdir(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as scratch:
            made = os.path.join(scratch, "made")
            os.mkdir(made)
            fill(made, scratch)
            os.rename(made, target)
    return target


def libraries(folder):
    """Makes the reference libraries importable."""
    try:
        import sentencepiece, tiktoken, tokenizers  # noqa: F401: those of this Python, if it has them
        return
    except ImportError:
        pass
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path.insert(0, once(os.path.join(folder, version), lambda made, _: pip(
        "install", "--no-deps", "--only-binary", ":all:", "--no-warn-conflicts", "--target", made, *LIBRARIES, seconds=120)))


def members(archive, wanted):
    """(name, bytes) of the files in a wheel or an sdist that are wanted."""
    if archive.endswith(".whl"):
        with zipfile.ZipFile(archive) as z:
            yield from ((n, z.read(n)) for n in z.namelist() if n.startswith(wanted))
    else:
        with tarfile.open(archive) as t:
            yield from ((m.name, t.extractfile(m).read()) for m in t if m.isfile() and any(w in m.name for w in wanted))


def vocabularies(folder, package):
    """The folder with the vocabularies of a package."""
    target = lambda p: os.path.join(folder, "vocabularies", p.split("==")[0])

    def fill(made, scratch):
        kind = ["--only-binary", ":all:"] if package in WHEELS else ["--no-binary", package.split("==")[0]]
        pip("download", "--no-deps", *kind, "--dest", scratch, package, seconds=120 if package in WHEELS else 600)
        archive, = glob.glob(os.path.join(scratch, "*.whl" if package in WHEELS else "*.tar.gz"))
        for name, data in members(archive, {**WHEELS, **SOURCES}[package]):
            with open(os.path.join(made, os.path.basename(name)), "wb") as f:
                f.write(data)
        if not os.listdir(made):
            shutil.rmtree(made)
            raise Unreachable(f"{package} has no vocabularies")
    return once(target(package), fill)
