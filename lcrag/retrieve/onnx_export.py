"""Exports a sentence-transformers BERT to one int8 ONNX file; a program that lcrag.retrieve.encoder runs once.

It is a process of its own because it needs torch and transformers (seconds to import, 1 GB of memory), which neither
the embedder nor the reranker needs again, and so that their messages stay in its pipes. It imports nothing of lcrag
and is started by its path, so that it runs wherever lcrag was imported from: ``python -P onnx_export.py FOLDER TARGET
[ADAPTER]``; with an adapter it exports the reranker, else the embedder.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

OPSET = 14


def export_embedder(folder: Path, target: Path) -> None:
    """Write ``target``: input_ids, attention_mask (int64, batch x length) to embedding (float32, batch x dimensions).

    Mean pooling over the mask and L2 normalisation are in the graph.
    """
    import torch
    from transformers import AutoModel

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(folder, local_files_only=True, attn_implementation="eager")

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))

    _write(Pooled(), ["input_ids", "attention_mask"], {"embedding": {0: "batch"}}, target)


def export_reader(folder: Path, target: Path, adapter: Path) -> None:
    """Write ``target``: input_ids, attention_mask, token_type_ids (int64, batch x length) to ``tokens`` and ``first``.

    ``tokens`` (float32, batch x length x 3): logits of answer start, answer end and evidence. ``first`` (batch x 2):
    logit of "the answer is here", and the rank score. A linear layer X becomes X + up @ down; norms, biases and
    segment embeddings are replaced.
    """
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModel

    class Merged(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(
                folder, local_files_only=True, attn_implementation="eager", add_pooling_layer=False
            )
            stored = {name: value.float() for name, value in load_file(adapter).items()}
            self.token = torch.nn.Linear(self.encoder.config.hidden_size, 3)
            self.first = torch.nn.Linear(self.encoder.config.hidden_size, 2)
            own = dict(self.named_parameters())
            with torch.no_grad():
                for name, value in stored.items():
                    layer, _, part = name.rpartition(".")
                    if part == "down":
                        own[f"encoder.{layer}.weight"].add_(stored[f"{layer}.up"] @ value)
                    elif part != "up":
                        own[name if name in own else f"encoder.{name}"].copy_(value)

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            states = self.encoder(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state
            return self.token(states), self.first(states[:, 0])

    outputs = {"tokens": {0: "batch", 1: "length"}, "first": {0: "batch"}}
    _write(Merged(), ["input_ids", "attention_mask", "token_type_ids"], outputs, target)


def _write(model: torch.nn.Module, inputs: list[str], outputs: dict[str, dict[int, str]], target: Path) -> None:
    """Write ``target`` in int8, one scale per output column, with the axes of ``outputs`` that are not fixed by name.

    With one scale per matrix the mean cosine of embeddings to fp32 was 0.946, with one per column 0.992.
    ``reduce_range`` (7 bits) costs nothing measurable and keeps processors without VNNI from saturating their 16-bit
    sums. onnxruntime writes it with those fusions that hold for any processor: it loads in half the time and gives the
    same numbers. The intermediate files stay next to it as ``TARGET.fp32`` and ``TARGET.int8``.
    """
    import torch
    from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole, small = (target.with_name(f"{target.name}.{kind}") for kind in ("fp32", "int8"))
    # The second row is padded, so that the mask matters.
    ids = torch.tensor([[101, 7592, 102, 2088, 102], [101, 7592, 102, 102, 0]])
    given = {"input_ids": ids, "attention_mask": (ids > 0).long(), "token_type_ids": torch.zeros_like(ids)}
    axes = {name: {0: "batch", 1: "length"} for name in inputs}
    torch.onnx.export(
        model.eval(),
        tuple(given[name] for name in inputs),
        whole,
        input_names=inputs,
        output_names=list(outputs),
        dynamic_axes=axes | outputs,
        opset_version=OPSET,
        dynamo=False,
    )
    quantize_dynamic(whole, small, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    InferenceSession(small, sess_options=options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    folder, target, *adapter = map(Path, sys.argv[1:])
    export_reader(folder, target, *adapter) if adapter else export_embedder(folder, target)
