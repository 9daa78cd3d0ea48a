"""Turns a folder with a sentence-transformers BERT into one int8 ONNX file; a program that lcrag.embed runs once.

A process of its own, because it needs torch and transformers (seconds to import, 1 GB of memory), which the embedder
never needs again, and because their chatter then stays in its pipes. It imports nothing of lcrag and is started by its
path, so that it runs wherever lcrag was imported from: ``python -P onnx_export.py FOLDER TARGET``.
"""

from __future__ import annotations

import sys
from pathlib import Path

OPSET = 14


def export(folder: Path, target: Path) -> None:
    """Write ``target``: input_ids, attention_mask (int64, batch x length) to embedding (float32, batch x dimensions).

    Mean pooling over the mask and L2 normalisation are part of the graph. Weights are int8 with one scale per output
    column: with one per matrix the mean cosine to fp32 was 0.946, with one per column 0.992. ``reduce_range`` (7 bits)
    costs nothing measurable and keeps processors without VNNI from saturating their 16-bit sums.
    The fp32 model stays beside it as ``TARGET.fp32``; the caller owns the folder.
    """
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModel

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(folder, local_files_only=True, attn_implementation="eager")

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))

    whole = target.with_name(f"{target.name}.fp32")
    ids = torch.tensor([[101, 7592, 2088, 102], [101, 7592, 102, 0]])  # one padded row: the mask takes part
    batch_by_length = {0: "batch", 1: "length"}
    torch.onnx.export(
        Pooled().eval(),
        (ids, (ids > 0).long()),
        whole,
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={"input_ids": batch_by_length, "attention_mask": batch_by_length, "embedding": {0: "batch"}},
        opset_version=OPSET,
        dynamo=False,
    )
    quantize_dynamic(whole, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
