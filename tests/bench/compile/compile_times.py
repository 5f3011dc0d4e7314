"""What compiling and loading large models takes: time and memory of a first compile, of a second one that finds its
kernels in the cache, the speed of packing, and the time to load.

    compile_times.py --llmc build/bin/llmc --library build/lib/libllmc.so model.gguf... [--rounds 3] [-- OPTIONS...]

Each round compiles every model in turn, first with an empty cache of kernels; the medians over the rounds are printed.
Packing is held against a plain copy of the file in the same round: both read and write through the page cache.
Compile budgets of a model of a billion parameters on two cores: 12 s and 1.5 GB; 2 s and packing from the cache; 50 ms
to load. Nothing here fails when they are passed: machines differ.
"""
import argparse
import ctypes
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def compile_model(llmc, model, target, cache, options):
    """Seconds by phase ("total", "pack weights", ...), and the peak of resident memory in bytes."""
    command = [llmc, "compile", model, "-o", target, "--cache-dir", cache, "--times", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    text = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}\nended with {process.returncode}: {text.strip()[-500:]}")
    phases = {name.strip(): float(ms) / 1e3 for name, ms in re.findall(r"^(\S.*?) +([0-9.]+) ms$", text, re.M)}
    return phases, usage.ru_maxrss * 1024


def load_seconds(library, model):
    """In a process of its own, so that nothing is mapped yet."""
    program = ("import ctypes, sys, time; lib = ctypes.CDLL(sys.argv[1]); model = ctypes.c_void_p(); "
               "start = time.perf_counter(); "
               "status = lib.llmc_model_load(sys.argv[2].encode(), None, ctypes.byref(model)); "
               "print(time.perf_counter() - start); sys.exit(status != 0)")
    return float(subprocess.run([sys.executable, "-c", program, library, model], check=True, capture_output=True,
                                text=True).stdout)


def copy_seconds(model, target):
    start = time.perf_counter()
    with open(model, "rb") as source, open(target, "wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 22)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--llmc", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = sys.argv[1:]
    options = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, options = arguments[:at], arguments[at + 1:]
    args = parser.parse_args(arguments)
    ctypes.CDLL(args.library)  # fails here, with the name, rather than in every round

    rows = {model: [] for model in args.models}
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        target, cache = os.path.join(folder, "model.so"), os.path.join(folder, "cache")
        for number in range(args.rounds):
            for model in args.models:
                print(f"round {number + 1}: {os.path.basename(model)}", file=sys.stderr)
                shutil.rmtree(cache, ignore_errors=True)
                first, memory = compile_model(args.llmc, model, target, cache, options)
                second, _ = compile_model(args.llmc, model, target, cache, options)
                load = load_seconds(args.library, target)
                os.remove(target)
                copied = copy_seconds(model, target)
                rows[model].append((first["total"], memory / 1e6, second["total"],
                                    second["total"] - second["pack weights"], second["pack weights"],
                                    os.path.getsize(model) / 1e6 / second["pack weights"],
                                    os.path.getsize(model) / 1e6 / copied, load * 1e3))
    print(f"{'model':24} {'compile s':>9} {'peak MB':>8} {'cached s':>8} {'- packing':>9} {'packing s':>9} "
          f"{'MB/s':>6} {'copy MB/s':>9} {'load ms':>8}")
    for model, rounds in rows.items():
        first, memory, second, rest, packing, speed, copy, load = map(statistics.median, zip(*rounds))
        print(f"{os.path.basename(model):24} {first:9.2f} {memory:8.0f} {second:8.2f} {rest:9.2f} {packing:9.2f} "
              f"{speed:6.0f} {copy:9.0f} {load:8.2f}")


if __name__ == "__main__":
    main()
