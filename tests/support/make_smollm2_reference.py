"""Makes tests/fixtures/smollm2.ref: what transformers computes, in float32, from the demo model's own weights.

    make_smollm2_reference.py SMOLLM2.gguf OUT.ref

The GGUF is dequantized exactly, so the numbers hold the storage types of that file and no others. For ten prompts:
token ids, the last row's logits at 2000 fixed ids, its 50 highest, its spread, and 48 greedy tokens with the
distance of the two best. For one text: the negative log-likelihood of each of its 1,000 tokens. The layout is
described in tests/e2e/README.md.
"""
import pathlib
import struct
import sys

import numpy as np
import torch
from llama_reference import LlamaFile, hf_model, numpy_logits, tokenizer_of

CHECKED_IDS, TOP, GREEDY, TEXT_TOKENS = 2000, 50, 48, 1000

# The model must be in no doubt about the first token after each: int8 activations move logits by up to 0.3 spreads.
PROMPTS = [
    "The capital of France is",
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\nWhat does a compiler do? Answer in one sentence.<|im_end|>\n<|im_start|>assistant\n",
    "Once upon a time, at the edge of a quiet village, there lived a clockmaker who",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n    if n < 2:\n        return n\n    return",
    "#include <stdio.h>\n\nint main(void) {\n\tfor (int i = 0; i < 10; ++i) {\n\t\tprintf(",
    "1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144,",
    "Invoice 2024-0317: 12 chairs at 49.90 each make 598.80; 3 tables at 129.00 each make 387.00. The total is",
    "東京は日本の首都です。今日は天気がいいので、",
    "今天我们学习什么是编译器。编译器是一种",
    "Ünïcödé tëst — “quotes”, naïve café, 100 €; emoji 🙂🚀 and a tab\there.\n\n  The next line says",
]

TEXT = """The ferry that crosses the sound leaves at seven in the morning and comes back when the light has almost gone. In between, the island is left to the people who live on it, and to a few birds that have never learned to be afraid of them. There are forty-one houses, one shop, a school with nine pupils and a lighthouse that has not been lit for thirty years. The shop sells bread, lamp oil, fishing line and stamps. On Thursdays it also sells newspapers, which are read with care although the news in them is already several days old.

Anna kept the shop. She had taken it over from her aunt, who had taken it over from nobody, having built it herself out of driftwood and the planks of a wrecked barge. When the wind was strong the walls still creaked like a ship, and visitors would sometimes reach for the counter as if the floor were about to tilt. Anna did not notice the sound any more. What she noticed was when it stopped, because then the weather was about to change.

One evening in October the creaking stopped a little after five. She went to the window and looked out over the harbour. The water was flat and dark, and the boats lay so still that each one seemed to rest on its own picture. "It will come from the north," she said to the cat, who had opinions of its own and did not answer. She carried the crates inside, closed the shutters, and filled the two large lamps.

The storm came from the north, as she had said. It came first as a line of white on the horizon, then as a noise, and then there was no difference any longer between the noise and the air. Rain ran along the street in sheets. A ladder went past the window, quite slowly, turning over and over. At about nine o'clock somebody knocked at the door, three times, in the way of a person who is not sure whether knocking is still of any use.

It was the teacher, with all nine pupils. The roof of the school had begun to lift at one corner, she explained, and she had thought of the shop because it had stood through worse. They were wet and silent. Anna put them around the stove, gave each of them a piece of bread with butter and sugar, and told them that the creaking was a good sign. "A house that complains is a house that bends," she said. "You only have to worry about the ones that say nothing."

How do you keep nine children quiet during a storm? You give them something to count. The teacher let them count the seconds between the lightning and the thunder, and then divide by three, because sound needs about three seconds for one kilometre. Twelve seconds made four kilometres. Nine seconds made three. When they had come down to one second, and the window frames shook, the youngest boy said that he did not want to divide any more, and they sang instead.

By two in the morning it was over. The clouds opened like a curtain, and there were more stars than anybody could remember. The children slept on flour sacks. Anna and the teacher went outside to see what was left. Two boats had sunk, a wall had fallen, and the old lighthouse had lost its door; but the forty-one houses stood, and so did the school, although its roof now had a view of the sky.

They climbed the lighthouse because there was nothing else to be done before the morning. At the top, behind broken glass, the great lamp was still in its place, covered with dust and feathers. The teacher wiped it with her sleeve. "Do you think that it would still burn?" she asked. Anna had brought one of the lamps from the shop, and a little oil was left in it. It took them some time to find out how the wick was held, and how the lens was turned, and which of the small brass doors let in the air.

The captain of the ferry said later that he had been eleven miles out, without radio and without any idea where the island was, when he saw a light that could not be there. He had known that coast for twenty-six years. He checked his chart, which showed the lighthouse with a small cross through it, and then he turned his ship towards it anyway. A chart, he used to say after that night, is only what somebody saw once. A light is what somebody is doing now.

The lighthouse has been lit every evening since. The pupils take turns, two and two, and they write the hour, the wind and the number of passing ships into a book. On the first page stands a rule in the handwriting of the teacher: count, divide, and if you do not want to divide any more, sing. The shop sells a little more oil than before. And when visitors ask Anna whether she was afraid in that night, she says that she listened to the walls, and as long as they complained there was no reason to be.

The school has a new roof now. It is made of copper, which was a present from the company that owns the ferry, and in the first years it shone so brightly that the fishermen complained about it. Now it has become green, like the water in summer. It does not creak at all. Anna says that she does not quite trust it."""


def prompt_record(model, tokenizer, prompt, ids):
    tokens = tokenizer.encode(prompt).ids
    with torch.inference_mode():
        out = model(input_ids=torch.tensor([tokens]), use_cache=True)
        row = out.logits[0, -1].double()
        top = torch.topk(row, TOP)
        spread = row.std(unbiased=False).item()
        record = struct.pack("<II", len(prompt.encode()), len(tokens)) + prompt.encode()
        record += np.asarray(tokens, "<i4").tobytes()
        record += row[torch.from_numpy(ids).long()].numpy().astype("<f4").tobytes()
        record += top.indices.numpy().astype("<i4").tobytes() + top.values.numpy().astype("<f4").tobytes()
        record += struct.pack("<ffff", spread, row.mean().item(), row.max().item(), torch.logsumexp(row, 0).item())
        greedy, second, gaps, cache = [], [], [], out.past_key_values
        for _ in range(GREEDY):
            best = torch.topk(row, 2)
            greedy.append(int(best.indices[0]))
            second.append(int(best.indices[1]))
            gaps.append(float(best.values[0] - best.values[1]) / row.std(unbiased=False).item())
            out = model(input_ids=torch.tensor([[greedy[-1]]]), past_key_values=cache, use_cache=True)
            row, cache = out.logits[0, -1].double(), out.past_key_values
    record += np.asarray(greedy, "<i4").tobytes() + np.asarray(second, "<i4").tobytes()
    record += np.asarray(gaps, "<f4").tobytes()
    print(f"{len(tokens):3d} tokens, std {spread:.3f}, smallest gap {min(gaps):.1e} std: "
          f"{tokenizer.decode(greedy, skip_special_tokens=False)!r}")
    return record


def text_record(model, tokenizer):
    tokens = tokenizer.encode(TEXT).ids
    assert len(tokens) >= TEXT_TOKENS, f"the text has only {len(tokens)} tokens"
    tokens = tokens[:TEXT_TOKENS]
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, :-1].double()
        nll = torch.nn.functional.cross_entropy(logits, torch.tensor(tokens[1:]), reduction="none").numpy()
    print(f"perplexity {np.exp(nll.mean()):.4f} over {len(nll)} predictions")
    return (struct.pack("<II", len(TEXT.encode()), len(tokens)) + TEXT.encode()
            + np.asarray(tokens, "<i4").tobytes() + nll.astype("<f4").tobytes())


def main():
    torch.set_num_threads(2)
    file = LlamaFile(sys.argv[1])
    tokenizer = tokenizer_of(file)
    model = hf_model(file)
    tokens = tokenizer.encode(PROMPTS[0]).ids
    with torch.inference_mode():
        row = model(input_ids=torch.tensor([tokens])).logits[0].numpy()
    apart = float((np.abs(numpy_logits(file, tokens) - row) / row.std(-1, keepdims=True)).max())
    print(f"double-precision pass differs by {apart:.1e} std")
    assert apart < 1e-4
    ids = np.sort(np.random.default_rng(2).choice(file.vocab, CHECKED_IDS, replace=False)).astype("<i4")
    out = b"LLMCREF1" + struct.pack("<IIIII", file.vocab, len(PROMPTS), CHECKED_IDS, TOP, GREEDY) + ids.tobytes()
    for prompt in PROMPTS:
        out += prompt_record(model, tokenizer, prompt, ids)
    out += text_record(model, tokenizer)
    pathlib.Path(sys.argv[2]).write_bytes(out)
    print(len(out), "bytes")


if __name__ == "__main__":
    main()
