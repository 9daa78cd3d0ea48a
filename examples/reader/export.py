"""Merges the reader's adapter into the embedding model's weights: one int8 ONNX file; run once, by reader.py.

A process of its own for the reasons of lcrag.onnx_export: ``python -P export.py FOLDER ADAPTER TARGET``.
"""

from __future__ import annotations

import sys
from pathlib import Path

OPSET = 14


def export(folder: Path, adapter: Path, target: Path) -> None:
    """Write ``target``: input_ids, attention_mask, token_type_ids (int64, batch x length) to ``tokens`` and ``first``.

    ``tokens`` (float32, batch x length x 3): logits of answer start, answer end and evidence. ``first`` (batch x 2):
    logit of "the answer is here", and the rank score. A linear layer X becomes X + up @ down; norms, biases and
    segment embeddings are replaced. The fp32 model stays beside it as ``TARGET.fp32``; the caller owns the folder.
    """
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
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

    whole = target.with_name(f"{target.name}.fp32")
    ids = torch.tensor([[101, 7592, 102, 2088, 102], [101, 7592, 102, 102, 0]])  # one padded row
    both = {0: "batch", 1: "length"}
    names = ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(
        Merged().eval(),
        (ids, (ids > 0).long(), torch.zeros_like(ids)),
        whole,
        input_names=names,
        output_names=["tokens", "first"],
        dynamic_axes={**dict.fromkeys(names, both), "tokens": both, "first": {0: "batch"}},
        opset_version=OPSET,
        dynamo=False,
    )
    quantize_dynamic(whole, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
