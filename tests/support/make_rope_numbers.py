"""Makes tests/frontend/rope_numbers.inc: rotary frequencies as transformers works them out, in float32.

    make_rope_numbers.py > ../frontend/rope_numbers.inc
"""
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

DIMS, BASE, TRAINED = 16, 10000.0, 512
SHORT = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]
LONG = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
LISTS = dict(short_factor=SHORT, long_factor=LONG)
# name, the scaling as a config states it, the same as fields of RopeScaling, sequence length
CASES = [
    ("Linear", dict(rope_type="linear", factor=4.0), ".factor = 4", 300),
    ("DynamicWithinTheTrainedContext", dict(rope_type="dynamic", factor=2.0), ".factor = 2, .originalContext = 512", 300),
    ("DynamicBeyondIt", dict(rope_type="dynamic", factor=2.0), ".factor = 2, .originalContext = 512", 2000),
    ("Llama3", dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                    original_max_position_embeddings=512), ".factor = 8, .originalContext = 512", 300),
    ("Yarn", dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=512),
     ".factor = 4, .originalContext = 512", 300),
    ("YarnWithoutTruncation", dict(rope_type="yarn", factor=8.0, beta_fast=4.0, beta_slow=0.5, truncate=False,
                                   original_max_position_embeddings=512),
     ".factor = 8, .originalContext = 512, .betaFast = 4, .betaSlow = 0.5, .truncate = false", 300),
    ("YarnWithMscale", dict(rope_type="yarn", factor=40.0, mscale=1.0, mscale_all_dim=0.7,
                            original_max_position_embeddings=512),
     ".factor = 40, .originalContext = 512, .mscale = 1, .mscaleAllDim = 0.7", 300),
    ("YarnWithAttentionFactor", dict(rope_type="yarn", factor=40.0, attention_factor=0.9,
                                     original_max_position_embeddings=512),
     ".factor = 40, .originalContext = 512, .attentionFactor = 0.9", 300),
    ("LongRopeShort", dict(rope_type="longrope", factor=8.0, original_max_position_embeddings=64, **LISTS),
     ".factor = 8, .originalContext = 64, .shortDivisors = shortList, .longDivisors = longList", 64),
    ("LongRopeLong", dict(rope_type="longrope", factor=8.0, original_max_position_embeddings=64, **LISTS),
     ".factor = 8, .originalContext = 64, .shortDivisors = shortList, .longDivisors = longList", 65),
]
RULES = dict(linear="Linear", dynamic="Dynamic", llama3="Llama3", yarn="Yarn", longrope="LongRope")

print("// Made by tests/support/make_rope_numbers.py.")
print(f"const std::vector<double> shortList = {{{', '.join(map(str, SHORT))}}};")
print(f"const std::vector<double> longList = {{{', '.join(map(str, LONG))}}};")
print("const Case cases[] = {")
for name, scaling, fields, length in CASES:
    config = LlamaConfig(hidden_size=64, num_attention_heads=4, max_position_embeddings=TRAINED,
                         rope_parameters=dict(rope_theta=BASE, **scaling))
    freqs, factor = ROPE_INIT_FUNCTIONS[scaling["rope_type"]](config, "cpu", seq_len=length)
    assert len(freqs) == DIMS // 2 and freqs.dtype == torch.float32
    numbers = ", ".join(f"{v:.9g}" for v in freqs.tolist())
    print(f'    {{"{name}", {{.rule = RopeRule::{RULES[scaling["rope_type"]]}, {fields}}}, {length}, {factor:.9g}, {{{numbers}}}}},')
print("};")
