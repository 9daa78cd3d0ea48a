"""Which words of the passages the question of a prompt attends to (after InfiniRetri, arXiv 2502.12962).

The paper looks at the last layer. In a small model evidence stands out in an earlier one, so that one is looked at here
(``LAYER``). Attention as it is computed for writing never exists as a table: the layer does its part again, slowly, and
those behind it are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import torch
from torch.nn.functional import avg_pool1d

from lcrag.errors import BackendFailed
from lcrag.text import prompts
from lcrag.types import Passage

LAYER: Final = 0.72
"""Which layer, as a share of their number: of SmolLM2-135M's 30 the 22nd. Words of the evidence are above others there
with AUROC .89, in the last one .63 (42 windows: examples/evaluation/README.md). Other models are not measured."""
PHRASE: Final = 8
"""Tokens over which attention is averaged, since a phrase is looked for and not a token: the paper's length of an
answer."""


def attended(
    lm: Any, encoding: Any, passages: Sequence[Passage], control: Sequence[str], begin: int, rows: slice, most: int
) -> tuple[tuple[int, int], ...]:
    """The marker and a character of each of the ``most`` tokens of the passages that those of ``rows`` attend to most.

    ``encoding``: the prompt's; ``begin``: where in its text the passages begin. Raises BackendFailed for a model whose
    attention cannot be read.
    """
    ids = torch.tensor([encoding["input_ids"]], device=lm.device)
    scores = averaged(_attention(lm, ids), rows)
    places = {
        token: (passage.marker, character)
        for passage, start in _texts(passages, control, begin)
        for character in reversed(range(len(passage.text)))  # the first of a token stays
        if (token := encoding.char_to_token(start + character)) is not None
    }
    ranked = sorted(places, key=lambda token: (-float(scores[token]), token))
    return tuple(places[token] for token in ranked[:most])


def averaged(table: Any, rows: slice) -> Any:
    """How much each token is attended to: the mean of the heads and of these rows of a table, and over a phrase."""
    scores = table[0, :, rows].float().mean(dim=(0, 1))
    return avg_pool1d(scores[None], PHRASE, 1, PHRASE // 2, count_include_pad=False)[0, : len(scores)]


def _texts(passages: Sequence[Passage], control: Sequence[str], begin: int) -> Iterator[tuple[Passage, int]]:
    """Each passage, and where its text begins in the prompt."""
    place = begin + prompts.prefix(passages, control).index("<passage")
    for passage in passages:
        place += len(prompts.fence(passage, passage.text, control))
        yield passage, place - len("\n</passage>\n") - len(passage.text)


class _Reached(Exception):
    """The layer has got what it reads."""


def _attention(lm: Any, ids: Any) -> Any:
    """The table of the layer: a row for each token that attends, by head."""
    layers = [module for name, module in lm.model.named_modules() if name.endswith("self_attn")]
    kinds = getattr(lm.config.get_text_config(), "layer_types", None) or ["full_attention"] * len(layers)
    full = [layer for layer, kind in zip(layers, kinds, strict=False) if kind == "full_attention"]
    if not full:
        raise BackendFailed(f"{type(lm).__name__} has no layer with full attention", hint="scan:by=quotes")
    layer = full[round(LAYER * (len(full) - 1))]
    given: list[dict[str, Any]] = []

    def stop(_layer: Any, _args: Any, named: dict[str, Any]) -> None:
        given.append(named)
        raise _Reached

    hook = layer.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        with suppress(_Reached):
            lm.model(input_ids=ids, use_cache=False)
    finally:
        hook.remove()
    tokens = ids.shape[1]
    unseen = torch.full((1, 1, tokens, tokens), torch.finfo(lm.dtype).min, dtype=lm.dtype, device=lm.device).triu(1)
    with _eager(lm):
        _, table = layer(**{**given[0], "attention_mask": unseen})
    if table is None:
        raise BackendFailed(f"{type(lm).__name__} does not show its attention", hint="scan:by=quotes")
    return table


@contextmanager
def _eager(lm: Any) -> Iterator[None]:
    before = lm.config._attn_implementation
    lm.set_attn_implementation("eager")
    try:
        yield
    finally:
        lm.set_attn_implementation(before)
