"""Makes tests/fixtures/schemes/blocks.bin: blocks of every storage type and the floats that the gguf package reads.

    make_scheme_blocks.py OUT_FILE

Little-endian: "LLMCBLK1", u32 number of types; for each type u32 number, u32 values of a block, u32 bytes of a block,
u32 blocks, the blocks, f32 value[blocks][values]. Blocks are seeded random bytes; where a type has f16 scales, the
first blocks take every pair of the special ones (zero, subnormal, negative, largest, infinite, a NaN), the rest random
ones of middle size.
"""
import struct
import sys

import gguf
import numpy as np
from gguf.quants import dequantize

Type = gguf.GGMLQuantizationType
# Offsets of the f16 numbers of a block.
TYPES = {
    Type.F32: (), Type.F16: (0,), Type.BF16: (), Type.Q4_0: (0,), Type.Q4_1: (0, 2), Type.Q5_0: (0,),
    Type.Q5_1: (0, 2), Type.Q8_0: (0,), Type.Q2_K: (80, 82), Type.Q3_K: (108,), Type.Q4_K: (0, 2), Type.Q5_K: (0, 2),
    Type.Q6_K: (208,), Type.IQ4_NL: (0,), Type.IQ4_XS: (0,), Type.MXFP4: (),
}
SPECIAL = (0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0x7E00)
PLAIN_VALUES = 4096  # of each type, beside the special blocks


def make(kind, halves):
    rng = np.random.default_rng(1000 + int(kind))
    values, size = gguf.GGML_QUANT_SIZES[kind]
    special = [(a, b) for a in SPECIAL for b in (SPECIAL if len(halves) == 2 else (0,))] if halves else []
    if values == 256:
        special = special[::7]
    count = len(special) + PLAIN_VALUES // values
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for i in range(count):
        for j, at in enumerate(halves):
            bits = special[i][j] if i < len(special) else rng.integers(0, 1 << 15) & 0x3FF | rng.integers(
                4, 20) << 10 | rng.integers(0, 2) << 15
            blocks[i, at:at + 2] = np.frombuffer(struct.pack("<H", bits), dtype=np.uint8)
    if kind == Type.MXFP4:
        blocks[:256 // 2, 0] = np.arange(0, 256, 2)  # every other exponent, and the ends
        blocks[:4, 0] = (0, 1, 2, 255)
    if kind == Type.F32:
        floats = blocks.view(np.float32)
    else:
        with np.errstate(all="ignore"):
            floats = dequantize(blocks.reshape(-1), kind).astype(np.float32)
    return values, size, blocks, floats.reshape(count, values)


def main():
    with open(sys.argv[1], "wb") as out:
        out.write(b"LLMCBLK1" + struct.pack("<I", len(TYPES)))
        for kind, halves in TYPES.items():
            values, size, blocks, floats = make(kind, halves)
            out.write(struct.pack("<IIII", int(kind), values, size, len(blocks)))
            out.write(blocks.tobytes() + np.ascontiguousarray(floats, dtype="<f4").tobytes())


if __name__ == "__main__":
    main()
