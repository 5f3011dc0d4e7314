#!/usr/bin/env python3
"""Writes tests/fixtures/sampling.json: what the logits processors of Hugging Face transformers leave of a row of
logits, as probabilities, for combinations of parameters. Tests read the result and need no Python."""
import json
import pathlib

import torch
from transformers.generation import logits_process as lp

VOCAB = 40
CASES = [
    {"temperature": 1.0},
    {"temperature": 0.7, "top_k": 5},
    {"temperature": 1.5, "top_p": 0.8},
    {"temperature": 0.9, "min_p": 0.1},
    {"temperature": 1.0, "typical_p": 0.3},
    {"temperature": 1.3, "typical_p": 0.7},
    {"temperature": 1.2, "top_k": 12, "typical_p": 0.5},
    {"temperature": 0.8, "top_k": 20, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.85},
    {"temperature": 1.1, "top_k": 6, "top_p": 0.7},
    {"temperature": 1.0, "repeat_penalty": 1.8},
    {"temperature": 1.0, "repeat_penalty": 0.6, "top_k": 8},
    {"temperature": 1.0, "presence_penalty": 0.8, "frequency_penalty": 0.5},
]
HISTORY = [3, 7, 7, 11, 3, 3, 20]


def probabilities(row, case):
    scores = row.clone()[None]
    if "repeat_penalty" in case:
        scores = lp.RepetitionPenaltyLogitsProcessor(case["repeat_penalty"])(torch.tensor([HISTORY]), scores)
    for token in set(HISTORY):  # OpenAI's formula; transformers has no processor for it
        scores[0, token] -= case.get("presence_penalty", 0) + case.get("frequency_penalty", 0) * HISTORY.count(token)
    steps = [lp.TemperatureLogitsWarper(case["temperature"])]
    if "top_k" in case:
        steps.append(lp.TopKLogitsWarper(case["top_k"]))
    if "top_p" in case:
        steps.append(lp.TopPLogitsWarper(case["top_p"]))
    if "min_p" in case:
        steps.append(lp.MinPLogitsWarper(case["min_p"]))
    if "typical_p" in case:
        steps.append(lp.TypicalLogitsWarper(case["typical_p"]))
    for step in steps:
        scores = step(torch.tensor([HISTORY]), scores)
    return torch.softmax(scores.double(), -1)[0].tolist()


def main():
    torch.manual_seed(20)
    row = torch.randn(VOCAB) * 2
    goldens = {"logits": row.tolist(), "history": HISTORY, "cases": [{"params": c, "probabilities": probabilities(row, c)} for c in CASES]}
    path = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "sampling.json"
    path.write_text(json.dumps(goldens, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
