"""Quantizes a model with llmc and with llama-quantize and prints how far each is from the floats.

    compare.py --llmc build/bin/llmc --kl build/bin/e2e_kl --llama-quantize FOLDER/build/bin/llama-quantize model.gguf
               --text FILE [--types Q8_0,Q4_0,Q4_K] [--work FOLDER]

Both start from the same f32 file (model.gguf, dequantized). llama-quantize makes a file of each type (--pure: one type
for all matrices; where rows are no multiple of 256 it takes another). llmc then quantizes to exactly the types that
file has, tensor by tensor, so that both take the same bytes a weight; a second line shows `--quantize TYPE` alone, the
way a person would say it. All are run by llmc with f32 activations: only the weights differ. `kl` is kl.c of this
folder, built with the tests. Needs the Python package gguf.
"""
import argparse
import json
import os
import subprocess
import sys

import gguf


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    for option in ("llmc", "kl", "llama-quantize", "text"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("--types", default="Q8_0,Q4_0,Q4_K")
    parser.add_argument("--work", default="quantize-bench")
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    path = lambda name: os.path.join(options.work, name)

    def compile_model(source, name, rules=()):
        words = [word for rule in rules for word in ("--quantize", rule)]
        run([options.llmc, "compile", source, "-o", path(name), "--activations", "f32", "--cpu", "native", *words])
        weights = json.loads(run([options.llmc, "inspect", path(name), "--json"]))["manifest"]["weights"]
        return weights["bits_per_weight"]

    def distance(name):
        with open(options.text, "rb") as text:
            return [float(word) for word in run([options.kl, path("f32.so"), path(name)], stdin=text).split()]

    if not os.path.exists(path("f32.gguf")):
        run([options.llama_quantize, "--allow-requantize", options.model, path("f32.gguf"), "F32"])
    if not os.path.exists(path("f32.so")):
        compile_model(path("f32.gguf"), "f32.so")
    print(f"{'type':<8} {'made by':<24} {'bits/weight':>11} {'KL':>10} {'ppl':>9} {'KL / peer':>9}")
    for type_name in options.types.split(","):
        peer_file = path(f"peer-{type_name}.gguf")
        if not os.path.exists(peer_file):
            run([options.llama_quantize, "--pure", path("f32.gguf"), peer_file, type_name])
        rules = [f"^{tensor.name.replace('.', '[.]')}$={tensor.tensor_type.name.lower()}"
                 for tensor in gguf.GGUFReader(peer_file).tensors if len(tensor.shape) > 1]
        with open(path("rules"), "w") as file:
            file.write("\n".join(rules))
        lines = [("llama-quantize", compile_model(peer_file, "peer.so"), distance("peer.so"))]
        lines.append(("llmc, the same types", compile_model(path("f32.gguf"), "same.so", ["@" + path("rules")]),
                      distance("same.so")))
        lines.append((f"llmc --quantize {type_name.lower()}",
                      compile_model(path("f32.gguf"), "plain.so", [type_name.lower()]), distance("plain.so")))
        for made_by, bits, (kl, exact, other, tokens) in lines:
            print(f"{type_name:<8} {made_by:<24} {bits:>11.3f} {kl:>10.6f} {other:>9.3f} {kl / lines[0][2][0]:>9.3f}",
                  flush=True)
    print(f"perplexity of the f32 model {exact:.3f}, {tokens:.0f} tokens")


if __name__ == "__main__":
    main()
