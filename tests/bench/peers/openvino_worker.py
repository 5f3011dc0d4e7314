"""Times OpenVINO GenAI on a GGUF file; compare.py starts it in the Python that has the package.

    openvino_worker.py MODEL TOKENIZER sdpa|pa KIND THREADS SIZES NEW BEFORE

Prints {test: tokens a second}. Prompts are random ids, so that no cache of prefixes can help (it is off as well).
"""
import json
import sys
import time

import numpy as np
import openvino as ov
import openvino_genai as genai


def main():
    model, tokenizer, backend, kind, threads, sizes, new, before = sys.argv[1:]
    sizes, new, before = [int(n) for n in sizes.split(",")], int(new), int(before)
    options = {"INFERENCE_NUM_THREADS": int(threads), "ATTENTION_BACKEND": backend.upper()}
    if backend == "pa":
        scheduler = genai.SchedulerConfig()
        scheduler.enable_prefix_caching = False
        scheduler.cache_size = 2
        options["scheduler_config"] = scheduler
    pipeline = genai.LLMPipeline(model, genai.Tokenizer(tokenizer), "CPU", **options)
    random = np.random.default_rng(1)

    def generate(sequences, length, tokens):
        config = genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = tokens
        config.ignore_eos = True
        config.do_sample = False
        ids = random.integers(10, 200, (sequences, length)).astype(np.int64)
        inputs = genai.TokenizedInputs(ov.Tensor(ids), ov.Tensor(np.ones_like(ids)))
        return pipeline.generate(inputs, config).perf_metrics

    def seconds(*what):
        start = time.perf_counter()
        generate(*what)
        return time.perf_counter() - start

    if kind == "load":
        generate(1, 1, 1)
        return
    generate(1, 16, 2)  # warms up
    found = {}
    for n in sizes:
        if kind == "prompt":
            turns = 5 if n <= 32 else 2  # the first of a length prepares its shape
            times = [generate(1, n, 1).get_ttft().mean for _ in range(turns)][1:]
            found[f"pp{n}"] = n * 1e3 / float(np.median(times))
        elif kind == "batch":
            # Not from its time per token, which is not per sequence in every backend: what more tokens take on top.
            generate(n, before, 2)
            one, all_of_them = seconds(n, before, 1), seconds(n, before, new)
            if all_of_them <= one:
                sys.exit("the machine is too busy to tell generation from the prompt")
            found[f"tg x{n}"] = n * (new - 1) / (all_of_them - one)
        else:
            name = "tg" if kind == "decode" else f"tg @{n}"
            found[name] = 1e3 / generate(1, max(n, 1), new).get_tpot().mean  # no prompt may be empty
    print(json.dumps(found))


if __name__ == "__main__":
    main()
