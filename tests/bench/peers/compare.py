"""Times llmc and its peers on the same GGUF files, in turns, and prints one table.

    compare.py --bin build/bin [--llama-build FOLDER] [--ik CHECKOUT] [--openvino] [MODEL.gguf | 1b-q4_0 ...]
               [--rows prompt,decode,depth,batch,load,compile] [--threads 1,2] [--rounds 5] [--variant NAME]
               [--prompts 1,512] [--depths 0,2048] [--sequences 1,8]
               [--activations f32|f16|bf16|int8] [--setting 'fast=--fast'] [--json FILE] [--quick]

Models are GGUF files, or shapes of random weights such as 1b-q4_0 or 3b-q4_k_m, which are looked for in --model-dir as
synth1b-Q4_0.gguf and made there if missing (make_synthetic.py; that needs numpy and gguf). Without --llama-build,
llama.cpp is fetched with pip and built. README.md beside this file says how to read the table. Ctrl-C ends it with the
table of what is done.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

import engines
from roofline import Work
from table import Results

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ("prompt", "decode", "depth", "batch", "load", "compile")
DEFAULT_MODELS = [f"{shape}-{kind}" for shape in ("1b", "3b") for kind in ("q4_0", "q8_0", "q4_k_m", "bf16")]


class Sizes:
    def __init__(self, args):
        is_quick = args.quick
        self.prompts = args.prompts or ([1, 8, 32] if is_quick else [1, 8, 32, 128, 512, 2048])
        self.depths = args.depths or ([64, 128] if is_quick else [2048, 8192])
        self.sequences = args.sequences or ([1, 4] if is_quick else [1, 4, 8, 16])
        self.new = 4 if is_quick else 64           # tokens generated behind nothing
        self.new_at_depth = 4 if is_quick else 16  # behind much
        self.new_of_each = 4 if is_quick else 32   # of each of several sequences
        self.before_batch = 16 if is_quick else 128


def numbers(text, least=1):
    values = [int(word) for word in text.split(",")]
    if min(values) < least:
        raise ValueError
    return values


def depths(text):
    return numbers(text, least=0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=None)
    parser.add_argument("--models", dest="more", default="", help="the same, with commas between")
    parser.add_argument("--bin", required=True, help="folder of llmc and machine_probe")
    parser.add_argument("--llama-build", help="a folder with build/bin, or that folder, as build_llama_cpp makes it")
    parser.add_argument("--llama-settings", help="native, noamx, avx2 (default: what fits --variant)")
    parser.add_argument("--no-llama", action="store_true")
    parser.add_argument("--ik", metavar="CHECKOUT", help="built with build_ik if it is not")
    parser.add_argument("--openvino", action="store_true", help="OpenVINO GenAI, from pip")
    parser.add_argument("--openvino-venv", help="where it is or goes (default: in --work)")
    parser.add_argument("--tokenizer", help="a GGUF file with a tokenizer, which OpenVINO asks for")
    parser.add_argument("--rows", default=",".join(KINDS))
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompts", type=numbers, help="lengths of prompts (default: 1 to 2048)")
    parser.add_argument("--depths", type=depths, help="tokens before those generated (default: 2048 and 8192)")
    parser.add_argument("--sequences", type=numbers, help="sequences that are generated together (default: 1 to 16)")
    parser.add_argument("--variant", choices=("avx2", "avx2-vnni", "avx512", "avx512-bf16", "amx", "amx-fast"),
                        help="of llmc (default: its best)")
    parser.add_argument("--activations", choices=("f32", "f16", "bf16", "int8"),
                        help="llmc compiled with these; a --setting may name others (default: llmc's own choice)")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=OPTIONS",
                        help="llmc compiled with these options, too")
    parser.add_argument("--work", default="peers-bench", help="folder for what is made on the way")
    parser.add_argument("--model-dir", help="folder of models of random weights (default: in --work)")
    parser.add_argument("--json", help="write all measurements there after every round")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything works")
    args = parser.parse_args()
    args.models = [name for name in (args.models or []) + args.more.split(",") if name] or DEFAULT_MODELS
    args.rows = args.rows.split(",")
    if unknown := [row for row in args.rows if row not in KINDS]:
        parser.error(f"--rows: no '{unknown[0]}'; there are {', '.join(KINDS)}")
    if any("=" not in setting for setting in args.setting):
        parser.error("--setting takes NAME=OPTIONS")
    os.makedirs(args.work, exist_ok=True)
    args.model_dir = args.model_dir or os.path.join(args.work, "models")
    return args


def model_file(name, args, llama):
    """The path of a model; one of random weights is made if need be."""
    shape = re.fullmatch(r"(1b|3b)-(\w+)", name)
    if not shape:
        return os.path.abspath(name)
    path = os.path.abspath(os.path.join(args.model_dir, f"synth{shape[1]}-{shape[2].upper()}.gguf"))
    if not os.path.exists(path):
        print(f"making {path}", file=sys.stderr)
        os.makedirs(args.model_dir, exist_ok=True)
        more = ["--quantizer", os.path.join(llama, "llama-quantize")] if llama else []
        part = path + ".part"
        subprocess.run([sys.executable, os.path.join(HERE, "make_synthetic.py"), shape[1], part, "--type", shape[2],
                        *more], check=True)
        os.replace(part, path)
    return path


def llama_folder(args):
    if args.no_llama:
        return None
    folder = args.llama_build or os.path.join(args.work, "llama.cpp")
    if not args.llama_build:
        subprocess.run([os.path.join(HERE, "build_llama_cpp"), folder], check=True, stdout=sys.stderr)
    return engines.find_llama(folder)


def cpu_flags():
    with open("/proc/cpuinfo") as file:
        return set(re.search(r"^flags\s*:(.*)$", file.read(), re.M)[1].split())


def all_settings(args, llama, limits_of):
    llmc = os.path.join(args.bin, "llmc")
    pairs = [("default", "")] + [setting.split("=", 1) for setting in args.setting]
    settings = [engines.Llmc(name, llmc, options.split(), args.variant, args.activations) for name, options in pairs]
    if llama:
        fitting = {"avx2": "avx2", "avx2-vnni": "avx2", "avx512": "noamx", "avx512-bf16": "noamx"}.get(args.variant, "native,noamx" if limits_of == "amx" else "native")
        settings += engines.llama_cpp_settings(llama, (args.llama_settings or fitting).split(","))
    if args.ik:
        subprocess.run([os.path.join(HERE, "build_ik"), args.ik], check=True, stdout=sys.stderr)
        settings += engines.ik_settings(engines.find_llama(args.ik))
    if args.openvino:
        python = engines.venv(args.openvino_venv or os.path.join(args.work, "openvino"))
        if python and not args.tokenizer:
            print("openvino: left out: --tokenizer MODEL.gguf is missing", file=sys.stderr)
        elif python:
            settings += [engines.OpenVino(name, python, args.tokenizer) for name in ("sdpa", "pa")]
    return settings


def measure(args, settings, model, sizes, limits_of, results, done):
    """All rounds of one model."""
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        prepared = {}
        for setting in settings:
            try:
                prepared[setting] = setting.prepare(model, folder)
            except engines.Failed as failure:
                results.failures[model, "all", setting.engine, setting.name] = str(failure)
        for number in range(args.rounds):
            for threads in args.threads:
                for kind in args.rows:
                    if kind == "compile" and threads != args.threads[-1]:
                        continue  # has threads of its own
                    one_kind(args, prepared, model, threads, kind, sizes, limits_of, results, number)
            done()


def one_kind(args, prepared, model, threads, kind, sizes, limits_of, results, number):
    def probe():
        if kind in ("load", "compile"):
            return
        text, _, _ = engines.run([os.path.join(args.bin, "machine_probe"), str(threads), limits_of])
        results.limits.setdefault((model, threads, kind), []).append(json.loads(text))

    probe()
    for setting, ready in prepared.items():
        key = (model, kind, setting.engine, setting.name)
        if key in results.failures or (kind == "compile" and setting.engine != "llmc"):
            continue
        print(f"round {number + 1}: {os.path.basename(model)}, {threads} threads, {kind}: {setting.engine} "
              f"{setting.name}", file=sys.stderr)
        try:
            results.add(model, threads, kind, setting, setting.times(kind, ready, threads, sizes))
        except engines.Failed as failure:
            results.failures[key] = str(failure)
    probe()


def main():
    args = arguments()
    flags = cpu_flags()
    limits_of = args.variant or ("amx" if "amx_int8" in flags else "avx512-bf16" if "avx512_bf16" in flags else
                                 "avx512" if "avx512_vnni" in flags else "avx2")
    sizes = Sizes(args)
    results, works = Results(), {}
    about = {"variant": args.variant or "default", "activations": args.activations or "default", "limits_of": limits_of, "rounds": args.rounds,
             "before_batch": sizes.before_batch, "quick": args.quick}

    def done():
        if args.json:
            results.save(args.json, works, about)

    try:
        llama = llama_folder(args)
        settings = all_settings(args, llama, limits_of)
        for name in args.models:
            model = model_file(name, args, llama)
            works[model] = Work(model)
            measure(args, settings, model, sizes, limits_of, results, done)
    except KeyboardInterrupt:
        print("interrupted: what is done so far", file=sys.stderr)
    finally:
        done()
        print(results.text(works, sizes.before_batch), end="")


if __name__ == "__main__":
    main()
