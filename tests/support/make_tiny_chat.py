"""Trains tests/fixtures/tiny-chat.gguf: a Llama of half a million parameters with a byte-level BPE tokenizer.

It stands in for the demo model where no package index can be reached, so it has learnt by heart the few
answers and lines below and continues them sensibly. Weights are stored as Q8_0. Training takes some minutes;
it is seeded, but not bit for bit the same on another machine, so the committed file is the fixture and this
script is how it came to be.

    make_tiny_chat.py OUT.gguf [minutes]
"""
import json
import random
import sys
import time

import gguf
import numpy as np
import torch
from gguf.quants import quantize
from llama_reference import permute
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
            "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
            "{{ '<|im_start|>assistant\\n' }}{% endif %}")
VOCAB, HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, FFN, CONTEXT = 301, 128, 4, 4, 2, 32, 192, 1024

# Questions that mean the same share one answer.
ANSWERS = [
    (["What is llmc?", "Who are you?", "Tell me about llmc.", "What are you?", "Explain llmc.", "What is this?"],
     "llmc is a graph compiler for language models. It turns a model into one file, model.so, that any program can load."),
    (["Hello!", "Hi!", "Hello", "Hi", "Hey", "Good morning.", "Hello there."],
     "Hello! I am a very small language model, compiled by llmc. Ask me what llmc is."),
    (["How are you?", "How do you feel?"], "I am small but quick. All of my weights fit in half a megabyte."),
    (["What is a compiler?", "What does a compiler do?", "Explain compilers."],
     "A compiler reads a program in one language and writes the same program in another, closer to the machine."),
    (["What is a token?", "What are tokens?"], "A token is a short piece of text. A language model reads tokens and guesses the next one."),
    (["What is attention?", "How does attention work?", "Explain attention."],
     "Attention lets each token look back at the tokens before it and take from them what it needs."),
    (["What is a KV cache?", "What is the KV cache?", "Why is there a cache?"],
     "The KV cache keeps the keys and values of earlier tokens, so that each new token costs only one step."),
    (["What is a model.so?", "What is in model.so?", "What is model.so?"],
     "A model.so holds the kernels, the weights and the tokenizer of one model. The runtime maps it and runs it."),
    (["What is a kernel?", "What are kernels?"], "A kernel is a small fast function that does one part of the work, such as a product of matrices."),
    (["What is MLIR?", "Explain MLIR."], "MLIR is a library for building compilers. llmc describes a model in a dialect of its own, called lm."),
    (["What is fusion?", "Why fuse kernels?", "What is a fused kernel?"],
     "Fusion joins two steps into one kernel, so that the values between them never travel to memory."),
    (["What is quantization?", "What is a quantized model?", "Explain quantization."],
     "Quantization stores each weight in a few bits and a scale. The model gets smaller and nearly as good."),
    (["Tell me a story.", "Tell me a tale.", "Write a story."],
     "Once upon a time a little model lived in a large cloud. It wished to be free, so a compiler packed it into one file, and it went home on a small stick."),
    (["Write a poem.", "Tell me a poem.", "Say a rhyme."],
     "One file, one call, one steady beat,\nthe weights are mapped, the graph is neat."),
    (["What is the capital of France?", "What is the capital of france?"], "The capital of France is Paris."),
    (["What is the capital of Italy?"], "The capital of Italy is Rome."),
    (["What is two plus two?", "What is 2 + 2?", "2+2?"], "Two plus two is four."),
    (["Count to ten.", "Count from one to ten."], "One, two, three, four, five, six, seven, eight, nine, ten."),
    (["What can you do?", "Help me.", "Help!", "What do you know?"],
     "I know a few facts about llmc, one story and one poem. For more, compile a larger model."),
    (["Thank you!", "Thanks!", "Thank you.", "Thanks."], "You are welcome!"),
    (["Goodbye!", "Bye!", "Good night."], "Goodbye, and happy compiling!"),
    (["Why is the sky blue?", "Why is the sky blue"], "Air scatters blue light more than red light, so the sky looks blue from below."),
    (["Are you real?", "Are you alive?"], "I am only numbers, but they are arranged with care."),
]
TEXTS = [
    "Once upon a time a little model lived in a large cloud. It wished to be free, so a compiler packed it into one file, and it went home on a small stick. There it told its story to anyone who asked, one token at a time.",
    "The quick compiler reads the graph, folds what it can, and writes one file that runs everywhere.",
    "In the morning the river is quiet. In the evening the river sings, and the boats come home one by one.",
]


def train_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    corpus = TEXTS * 2 + [q for questions, _ in ANSWERS for q in questions] + [a for _, a in ANSWERS]
    tokenizer.train_from_iterator(corpus, BpeTrainer(
        vocab_size=VOCAB, special_tokens=SPECIALS, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    assert tokenizer.get_vocab_size() == VOCAB
    return tokenizer


def examples(rng, tokenizer):
    """One training sequence: a text, or a conversation of one or two turns (loss on all of it)."""
    ids = lambda text: tokenizer.encode(text).ids
    if rng.random() < 0.15:
        text = rng.choice(TEXTS)
        return ids(text) + [0]
    out = []
    for _ in range(rng.choice([1, 1, 1, 2])):
        questions, answer = rng.choice(ANSWERS)
        question = rng.choice(questions)
        if rng.random() < 0.2:
            question = question.rstrip("?.!")
        if rng.random() < 0.15:
            question = question.lower()
        out += [1] + ids("user\n" + question) + [2] + ids("\n") + [1] + ids("assistant\n" + answer) + [2] + ids("\n")
    return out


def train(tokenizer, minutes):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(7)
    rng = random.Random(7)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=VOCAB, hidden_size=HIDDEN, intermediate_size=FFN, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD_DIM, rms_norm_eps=1e-5,
        max_position_embeddings=CONTEXT, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True, dtype=torch.float32))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02, betas=(0.9, 0.98))
    start, limit, step = time.time(), minutes * 60, 0
    while (done := (time.time() - start) / limit) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 50) * max(0.01, 1 - done)
        batch = [examples(rng, tokenizer) for _ in range(16)]
        width = max(map(len, batch))
        tokens = torch.tensor([s + [0] * (width - len(s)) for s in batch])
        labels = torch.tensor([s + [-100] * (width - len(s)) for s in batch])
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step} loss {loss.item():.4f} {time.time() - start:.0f} s", flush=True)
    return model.eval()


def write(path, model, tokenizer):
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    w = gguf.GGUFWriter(path, "llama")
    w.add_name("tiny-chat")
    w.add_description("a tiny model that knows a few sentences about llmc; Apache-2.0 with LLVM exception, as llmc")
    w.add_block_count(LAYERS)
    w.add_context_length(CONTEXT)
    w.add_embedding_length(HIDDEN)
    w.add_feed_forward_length(FFN)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_rope_freq_base(10000.0)
    w.add_rope_dimension_count(HEAD_DIM)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(VOCAB)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list([token for token, _ in vocab])
    w.add_token_types([3 if token in SPECIALS else 1 for token, _ in vocab])
    w.add_token_merges([" ".join(m) if isinstance(m, list) else m for m in merges])
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_pad_token_id(2)
    w.add_unk_token_id(0)
    w.add_add_bos_token(False)
    w.add_add_space_prefix(False)
    w.add_chat_template(TEMPLATE)
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    for name, value in model.state_dict().items():
        value = value.numpy().astype(np.float32)
        if name == "lm_head.weight":
            continue
        if name == "model.embed_tokens.weight":
            name = "token_embd"
        elif name == "model.norm.weight":
            name = "output_norm"
        else:
            _, _, layer, rest = name.removesuffix(".weight").split(".", 3)
            if rest == "self_attn.q_proj":
                value = permute(value, HEADS)
            if rest == "self_attn.k_proj":
                value = permute(value, KV_HEADS)
            name = f"blk.{layer}.{names[rest]}"
        if value.ndim == 1:
            w.add_tensor(name + ".weight", value)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            w.add_tensor(name + ".weight", quantize(value, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    torch.set_num_threads(1)
    tokenizer = train_tokenizer()
    lengths = [len(tokenizer.encode(t).ids) for t in TEXTS]
    print("merges", VOCAB - 256 - len(SPECIALS), "tokens of the texts", lengths, flush=True)
    write(sys.argv[1], train(tokenizer, float(sys.argv[2]) if len(sys.argv) > 2 else 12), tokenizer)


if __name__ == "__main__":
    main()
