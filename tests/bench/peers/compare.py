"""Times llmc and llama.cpp on the same GGUF files, in turns, and prints the ratios.

    compare.py --llmc build/bin/llmc --llama-bench FOLDER/build/bin/llama-bench model.gguf... [-p 512] [-n 64] [-d 0]
               [-t 1,2] [--rounds 5]

Each round runs every engine once on every file (one repetition a process, after a warm-up of its own), so that slow
minutes of a shared machine meet all of them; the medians over the rounds are compared. Ratios above 1: llmc is faster.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


class Llmc:
    name = "llmc"

    def __init__(self, program, options, folder):
        self.program, self.options, self.folder = program, options, folder

    def prepare(self, model):
        target = os.path.join(self.folder, os.path.basename(model) + ".so")
        run([self.program, "compile", model, "-o", target, "--cpu", "native", *self.options])
        return target

    def times(self, model, case, threads):
        out = run([self.program, "bench", model, "-p", str(case.prompt), "-n", str(case.new), "-d", str(case.depth),
                   "-r", "1", "--threads", str(threads), "--json"])
        return {r["name"]: statistics.median(r["tok_s"]) for r in json.loads(out)["results"]}


class LlamaCpp:
    name = "llama.cpp"

    def __init__(self, program):
        self.program = program

    def prepare(self, model):
        return model

    def times(self, model, case, threads):
        out = run([self.program, "-m", model, "-p", str(case.prompt), "-n", str(case.new), "-d", str(case.depth),
                   "-r", "1", "-t", str(threads), "-o", "json"])
        return {f"pp{r['n_prompt']}" if r["n_prompt"] else f"tg{r['n_gen']}": r["avg_ts"] for r in json.loads(out)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--llmc", required=True)
    parser.add_argument("--llama-bench", required=True)
    parser.add_argument("--compile", default="", help="options of llmc compile, in one string")
    parser.add_argument("-p", "--prompt", type=int, default=512)
    parser.add_argument("-n", "--new", type=int, default=64)
    parser.add_argument("-d", "--depth", type=int, default=0)
    parser.add_argument("-t", "--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        engines = [Llmc(args.llmc, args.compile.split(), folder), LlamaCpp(args.llama_bench)]
        print(f"| model | test | threads | {' | '.join(e.name + ' tok/s (min-max)' for e in engines)} | ratio |")
        print("| --- | --- | --- |" + " --- |" * (len(engines) + 1))
        for model in args.models:
            prepared = [engine.prepare(model) for engine in engines]
            for threads in map(int, args.threads.split(",")):
                seen = [{} for _ in engines]
                for _ in range(args.rounds):
                    for engine, path, results in zip(engines, prepared, seen):
                        for test, speed in engine.times(path, args, threads).items():
                            results.setdefault(test, []).append(speed)
                for test in seen[0]:
                    cells = [f"{statistics.median(s[test]):.1f} ({min(s[test]):.1f}-{max(s[test]):.1f})" for s in seen]
                    ratio = statistics.median(seen[0][test]) / statistics.median(seen[1][test])
                    print(f"| {os.path.basename(model)} | {test} | {threads} | {' | '.join(cells)} | {ratio:.2f} |",
                          flush=True)


if __name__ == "__main__":
    main()
