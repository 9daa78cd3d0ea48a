"""The mean of several adapters as one of the same rank ("model soups", Wortsman et al. 2022, arXiv 2203.05482).

    python examples/writer/mean.py OUT.safetensors ADAPTER...

Of every linear layer the mean of the changes b @ a, and of that the nearest change of the first adapter's rank.
Adapters of the same base model and much the same questions err differently, and are too sure in different places.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lcrag.writer.weights import load_adapter, save_adapter


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.safetensors")
    parser.add_argument("adapters", type=Path, nargs="+", metavar="ADAPTER")
    options = parser.parse_args()
    adapters = [load_adapter(path) for path in options.adapters]
    meant, lost = {}, []
    for name in sorted(part.removesuffix(".a") for part in adapters[0] if part.endswith(".a")):
        change = sum(one[f"{name}.b"] @ one[f"{name}.a"] for one in adapters) / len(adapters)
        left, sizes, right = np.linalg.svd(change, full_matrices=False)
        rank = len(adapters[0][f"{name}.a"])
        root = np.sqrt(sizes[:rank])
        meant[f"{name}.b"], meant[f"{name}.a"] = left[:, :rank] * root, root[:, None] * right[:rank]
        lost.append(1 - np.square(sizes[:rank]).sum() / np.square(sizes).sum())
    save_adapter(meant, options.out)
    print(f"{len(meant) // 2} layers; of their squares {np.mean(lost):.4f} are lost to the rank")


if __name__ == "__main__":
    main()
