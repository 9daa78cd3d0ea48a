"""In which layer of a model do the words of the evidence stand out, by how much the question attends to them?

    python examples/evaluation/attention.py FOLDER DATASET... [--questions N]

FOLDER: a Hugging Face model (``lcrag.writer.prepare.checkpoint()`` makes one of lcrag's own). For N questions of each
dataset a window of 3,600 characters around the first gold evidence, which is anywhere in it. For each layer: the mean
AUROC of the evidence's tokens against the others', by attention as ``scan:by=attention`` averages it, and the share of
windows in which the evidence has one of the 50 first tokens.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

sys.path.append(str(Path(__file__).parents[1]))

from gold import sampled

from lcrag import ingest
from lcrag.backends.hf_attention import averaged
from lcrag.comparison.dataset import Question, load
from lcrag.text import prompts
from lcrag.types import Passage, Task

WINDOW = 3600
"""Characters: about a thousand tokens, as the paper's windows have."""
BEFORE = (300, 2800)
"""Characters of the window before the evidence, at least and at most."""
FIRST = 50


def by_layer(lm: Any, tokenizer: Any, question: Question, begin: int) -> list[tuple[float, bool]]:
    """For each layer the AUROC, and whether the evidence is among the first; ``begin``: characters before it."""
    assert question.evidence
    gold = question.evidence[0]
    [file] = ingest.discover([gold.doc]).files
    start = max(0, gold.start - begin)
    text = ingest.read(file).text[start : start + WINDOW]
    task = Task("answer", question.question, (Passage(1, "d", gold.doc.name, 0, len(text), text, 1),))
    prompt = tokenizer.apply_chat_template(prompts.messages(task), add_generation_prompt=True, tokenize=False)
    encoding = tokenizer(prompt, add_special_tokens=False)
    first = prompt.index(prompts.defused(text))
    asked = prompt.index("<question>", first + len(text)), prompt.index("</question>", first + len(text))
    rows = slice(encoding.char_to_token(asked[0]), encoding.char_to_token(asked[1]))
    places = {
        token: start + character
        for character in range(len(text))
        if (token := encoding.char_to_token(first + character)) is not None
    }
    is_gold = np.array([gold.start <= place < gold.end for place in places.values()])
    with torch.inference_mode():
        tables = lm.model(
            input_ids=torch.tensor([encoding["input_ids"]]), use_cache=False, output_attentions=True
        ).attentions
    found = []
    for table in tables:
        scores = averaged(table, rows).numpy()[list(places)]
        best = np.argsort(-scores)[:FIRST]
        found.append((float(roc_auc_score(is_gold, scores)), bool(is_gold[best].any())))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--questions", type=int, default=14)
    given = parser.parse_args()
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(given.model, local_files_only=True)
    lm = AutoModelForCausalLM.from_pretrained(given.model, local_files_only=True, attn_implementation="eager").eval()
    draw = random.Random(0)
    asked = [
        question
        for folder in given.datasets
        for question in sampled((one for one in load(folder) if one.evidence), given.questions)
    ]
    found = np.array([by_layer(lm, tokenizer, question, draw.randint(*BEFORE)) for question in asked])
    print(f"{len(asked)} windows")
    for layer, (area, first) in enumerate(found.mean(axis=0).tolist(), 1):
        print(f"layer {layer:2}  AUROC {area:.2f}  evidence among the first {FIRST}: {first:.2f}")


if __name__ == "__main__":
    main()
