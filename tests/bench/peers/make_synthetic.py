"""Writes a GGUF file of a Llama shape with seeded random weights (normal, deviation 0.02), for timing only.

    make_synthetic.py 1b model.gguf [--type f16] [--quantizer FOLDER/build/bin/llama-quantize]

Needs numpy and gguf. Types that the gguf package does not write (Q4_K_M, Q6_K, ...) come from llama.cpp's tool, made by
build_llama_cpp, over an f16 file. The file has no tokenizer: run it with token ids.
"""
import argparse
import os
import subprocess
import tempfile

import gguf
import numpy as np

# name: hidden, layers, heads, kv heads, head size, ffn, vocab
SHAPES = {
    "1b": (2048, 16, 32, 8, 64, 8192, 49152),
    "3b": (3072, 28, 24, 8, 128, 8192, 49152),
}
TYPES = {
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
    "q4_0": gguf.GGMLQuantizationType.Q4_0,
}

FILE_TYPES = {
    gguf.GGMLQuantizationType.F16: gguf.LlamaFileType.MOSTLY_F16,
    gguf.GGMLQuantizationType.BF16: gguf.LlamaFileType.MOSTLY_BF16,
    gguf.GGMLQuantizationType.Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0,
    gguf.GGMLQuantizationType.Q4_0: gguf.LlamaFileType.MOSTLY_Q4_0,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("output")
    parser.add_argument("--type", default="f16", help=", ".join(TYPES) + "; others with --quantizer")
    parser.add_argument("--quantizer", help="llama-quantize")
    args = parser.parse_args()
    if args.type.lower() in TYPES:
        return write(args.shape, TYPES[args.type.lower()], args.output)
    if not args.quantizer:
        parser.error(f"--type {args.type} needs --quantizer")
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(args.output))) as folder:
        halves = os.path.join(folder, "f16.gguf")
        write(args.shape, TYPES["f16"], halves)
        subprocess.run([args.quantizer, halves, args.output, args.type.upper()], check=True, stdout=subprocess.DEVNULL)


def write(shape, kind, output):
    hidden, layers, heads, kv_heads, head, ffn, vocab = SHAPES[shape]
    writer = gguf.GGUFWriter(output, "llama", use_temp_file=True)
    writer.add_name(f"synthetic-{shape}")
    writer.add_vocab_size(vocab)
    writer.add_context_length(8192)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("none")
    writer.add_file_type(FILE_TYPES[kind])  # OpenVINO reads no file without

    random = np.random.default_rng(1)

    def matrix(name, rows, columns):
        values = random.standard_normal((rows, columns), dtype=np.float32) * np.float32(0.02)
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def gain(name):
        writer.add_tensor(name, np.ones(hidden, np.float32))

    matrix("token_embd.weight", vocab, hidden)
    for i in range(layers):
        gain(f"blk.{i}.attn_norm.weight")
        matrix(f"blk.{i}.attn_q.weight", heads * head, hidden)
        matrix(f"blk.{i}.attn_k.weight", kv_heads * head, hidden)
        matrix(f"blk.{i}.attn_v.weight", kv_heads * head, hidden)
        matrix(f"blk.{i}.attn_output.weight", hidden, heads * head)
        gain(f"blk.{i}.ffn_norm.weight")
        matrix(f"blk.{i}.ffn_gate.weight", ffn, hidden)
        matrix(f"blk.{i}.ffn_up.weight", ffn, hidden)
        matrix(f"blk.{i}.ffn_down.weight", hidden, ffn)
    gain("output_norm.weight")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
