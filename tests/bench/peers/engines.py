"""The engines that compare.py sets side by side. An engine has settings; each is timed as if it were an engine of its
own, and the table shows the best.

A setting's times(kind, ...) runs one kind of row and returns {test: number}: tokens a second for "prompt", "decode",
"depth" and "batch", seconds and bytes for "load" and "compile".
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "compile"))
from compile_times import compile_model  # noqa: E402

SMALL = 32  # prompts up to this many tokens are repeated within a process: one takes milliseconds


class Failed(Exception):
    pass


def run(command, environment=None, with_errors=False):
    """(standard output, and standard error behind it where asked for; seconds; peak bytes of memory); raises Failed."""
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                                   env={**os.environ, **(environment or {})})
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.kill()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        output.seek(0)
        if process.returncode:
            lines = (errors.read().strip() or "it said nothing").splitlines()
            raise Failed(f"{' '.join(command)}: ended with {process.returncode}: {lines[-1][-300:]}")
        text = output.read() + (errors.read() if with_errors else "")
        return text, seconds, usage.ru_maxrss * 1024


class Setting:
    def __init__(self, engine, name):
        self.engine, self.name = engine, name

    def prepare(self, model, folder):
        """What times() takes as the model."""
        return model

    def load(self, command, environment=None):
        _, seconds, memory = run(command, environment)
        return {"load s": seconds, "peak bytes": memory}


class Llmc(Setting):
    def __init__(self, name, program, options, variant, activations=None):
        if any(option.split("=")[0] == "--activations" for option in options):
            activations = None  # the setting's own
        if activations:
            name = activations if name == "default" else f"{name}-{activations}"
        super().__init__("llmc", name)
        self.program, self.options = program, options + (["--cpu", variant] if variant else [])
        self.options += ["--activations", activations] if activations else []
        self.environment = {"LLMC_CPU": variant} if variant else {}

    def prepare(self, model, folder):
        self.source = model
        target = os.path.join(folder, f"{os.path.basename(model)}-{self.name}.so")
        run([self.program, "compile", model, "-o", target, *self.options])
        return target

    def bench(self, model, threads, *options):
        text, _, _ = run([self.program, "bench", model, "--threads", str(threads), "--json", *map(str, options)],
                         self.environment)
        return statistics.median(json.loads(text)["results"][0]["tok_s"])

    def times(self, kind, model, threads, sizes):
        if kind == "prompt":
            return {f"pp{n}": self.bench(model, threads, "-p", n, "-n", 0, "-r", 5 if n <= SMALL else 1)
                    for n in sizes.prompts}
        if kind == "decode":
            return {"tg": self.bench(model, threads, "-p", 0, "-n", sizes.new, "-r", 1)}
        if kind == "depth":
            return {f"tg @{d}": self.bench(model, threads, "-p", 0, "-n", sizes.new_at_depth, "-r", 1, "-d", d)
                    for d in sizes.depths}
        if kind == "batch":
            return {f"tg x{n}": self.bench(model, threads, "-p", 0, "-n", sizes.new_of_each, "-r", 1, "-d",
                                           sizes.before_batch, "--parallel", n) for n in sizes.sequences}
        if kind == "load":
            return self.load([self.program, "run", model, "--tokens", "1", "-n", "1", "--ignore-eos", "--threads",
                              str(threads), "--json"], self.environment)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(model)) as folder:
            target, cache = os.path.join(folder, "model.so"), os.path.join(folder, "cache")
            first, memory = compile_model(self.program, self.source, target, cache, self.options)
            again, _ = compile_model(self.program, self.source, target, cache, self.options)
        return {"compile s": first["total"], "compile again s": again["total"], "compiler bytes": memory}


class LlamaCpp(Setting):
    """llama.cpp and ik_llama.cpp, whose tools differ in some options."""

    def __init__(self, engine, name, folder, bench_options=(), batch_options=(), no_warm_up=("--no-warmup",),
                 library=None):
        super().__init__(engine, name)
        self.folder, self.bench_options, self.batch_options = folder, list(bench_options), list(batch_options)
        self.no_warm_up = list(no_warm_up)
        self.environment = {"LD_PRELOAD": library} if library else {}

    def bench(self, model, threads, *options):
        return [os.path.join(self.folder, "llama-bench"), "-m", model, "-t", str(threads), *map(str, options),
                *self.bench_options]

    def speeds(self, command):
        text, _, _ = run(command, self.environment)
        return json.loads(text[text.index("["):])

    def times(self, kind, model, threads, sizes):
        numbers = lambda values: ",".join(map(str, values))
        if kind == "prompt":
            found = {}
            for some, repeats in (([n for n in sizes.prompts if n <= SMALL], 5),
                                  ([n for n in sizes.prompts if n > SMALL], 1)):
                if some:
                    for r in self.speeds(self.bench(model, threads, "-p", numbers(some), "-n", 0, "-r", repeats, "-o",
                                                    "json")):
                        found[f"pp{r['n_prompt']}"] = statistics.median(r["samples_ts"])
            return found
        if kind == "decode":
            [r] = self.speeds(self.bench(model, threads, "-p", 0, "-n", sizes.new, "-r", 1, "-o", "json"))
            return {"tg": r["avg_ts"]}
        if kind == "depth":
            return self.depth(model, threads, sizes)
        if kind == "batch":
            most = max(sizes.sequences)
            text, _, _ = run([os.path.join(self.folder, "llama-batched-bench"), "-m", model, "-c",
                              str(most * (sizes.before_batch + sizes.new_of_each)), "-b", "2048", "-ub", "512", "-npp",
                              str(sizes.before_batch), "-ntg", str(sizes.new_of_each), "-npl",
                              numbers(sizes.sequences), "-t", str(threads), "-fa", "on", *self.batch_options],
                             self.environment, with_errors=True)  # where ik_llama.cpp prints its table
            return batched_speeds(text)
        return self.load(self.bench(model, threads, "-p", 1, "-n", 0, "-r", 1, *self.no_warm_up, "-o", "json"),
                         self.environment)

    def depth(self, model, threads, sizes):
        return {f"tg @{r['n_depth']}": r["avg_ts"] for r in self.speeds(
            self.bench(model, threads, "-p", 0, "-n", sizes.new_at_depth, "-r", 1, "-d",
                       ",".join(map(str, sizes.depths)), "-o", "json"))}


class Ik(LlamaCpp):
    def depth(self, model, threads, sizes):
        """It has no -d; -gp fills the cache with so many tokens before it generates, -n generates behind nothing."""
        pairs = [word for d in sizes.depths if d for word in ("-gp", f"{d},{sizes.new_at_depth}")]
        behind_nothing = sizes.new_at_depth if 0 in sizes.depths else 0
        return {f"tg @{r['n_prompt']}": r["avg_ts"] for r in self.speeds(
            self.bench(model, threads, "-p", 0, "-n", behind_nothing, *pairs, "-r", 1, "-o", "json"))}


def batched_speeds(text):
    """From the table of llama-batched-bench: prompt, generated, sequences, cells, then times and speeds."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 10 and re.fullmatch(r"\d+", cells[2]):
            found[f"tg x{cells[2]}"] = float(cells[7])
    if not found:
        raise Failed("llama-batched-bench printed no table")
    return found


class OpenVino(Setting):
    """In a Python of its own. The tokenizer is another file's where the model has none: no text is looked at."""

    def __init__(self, name, python, tokenizer):
        super().__init__("openvino", name)
        self.python, self.tokenizer = python, tokenizer

    def times(self, kind, model, threads, sizes):
        lists = {"prompt": sizes.prompts, "decode": [1], "depth": sizes.depths, "batch": sizes.sequences, "load": [1]}
        new = {"prompt": 1, "decode": sizes.new, "depth": sizes.new_at_depth, "batch": sizes.new_of_each, "load": 1}
        command = [self.python, os.path.join(HERE, "openvino_worker.py"), model, self.tokenizer, self.name, kind,
                   str(threads), ",".join(map(str, lists[kind])), str(new[kind]), str(sizes.before_batch)]
        if kind == "load":
            return self.load(command)
        text, _, _ = run(command)
        return json.loads(text.splitlines()[-1])


def llama_cpp_settings(folder, names):
    """"native" is FOLDER/build/bin as it is; others take that with the kernels of FOLDER/build-NAME/bin."""
    settings = []
    for name in names:
        library = None
        if name != "native":
            library = os.path.join(os.path.dirname(os.path.dirname(folder)), f"build-{name}", "bin", "libggml-cpu.so.0")
            replaced = os.path.join(folder, "libggml-cpu.so.0")  # a program that holds its kernels would run those
            if missing := [path for path in (replaced, library) if not os.path.exists(path)]:
                print(f"llama.cpp: left out '{name}': there is no {missing[0]}", file=sys.stderr)
                continue
        settings.append(LlamaCpp("llama.cpp", name, folder, library=library))
    return settings


def ik_settings(folder):
    plain = dict(no_warm_up=("-w", "0"))
    return [Ik("ik_llama.cpp", "rtr-fa", folder, ("-rtr", "1", "-fa", "1"), ("-rtr",), **plain),
            Ik("ik_llama.cpp", "fa", folder, ("-fa", "1"), **plain)]


def find_llama(folder):
    """The folder of the programs, below a folder of builds or a build."""
    for place in (folder, os.path.join(folder, "bin"), os.path.join(folder, "build", "bin")):
        if os.path.exists(os.path.join(place, "llama-bench")):
            return os.path.abspath(place)
    sys.exit(f"{folder}: no llama-bench there, nor in bin/ or build/bin/ below")


def venv(folder):
    """A Python with openvino-genai, installed with pip if it is not there; None if it cannot be had."""
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if subprocess.run([python, "-c", "import openvino_genai"], capture_output=True).returncode:
        print("installing openvino-genai", file=sys.stderr)
        done = subprocess.run([python, "-m", "pip", "install", "-q", "openvino-genai"], capture_output=True, text=True)
        if done.returncode:
            print(f"openvino-genai cannot be had: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            shutil.rmtree(folder)
            return None
    return python
