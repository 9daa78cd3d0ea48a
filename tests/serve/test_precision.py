"""Which numeric types ``up`` chooses for a model, from its configuration and what nvidia-smi says."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from lcrag.backends import machine
from lcrag.serve import nvidia
from lcrag.serve.precision import KV_IN_FP8, WEIGHTS_IN_FP8, Gpu, Needs, fitting, gpus, needs, on_processor

GIB = 2**30
SEVEN_B = Needs(weights=15_231_233_024, token=57_344, window=131_072)
"""Qwen2.5-7B: 28 layers of 4 heads with 128 numbers each."""
H200 = Gpu(143_771 * 2**20, 9.0)
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 64, "max_position_embeddings": 512}
ADA_24 = Gpu(24_564 * 2**20, 8.9)
AMPERE_24 = Gpu(24_564 * 2**20, 8.6)


def flags(needed: Needs, *machine: Gpu, window: int | None = None, given: tuple[str, ...] = ()) -> list[Any]:
    return [more for more, _ in fitting(needed, machine, 0.9, window, given)]


def model(folder: Path, **config: Any) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"\0" * 1000)
    return str(folder)


def test_fitting_leaves_what_fits() -> None:
    assert flags(SEVEN_B, H200) == []
    assert flags(SEVEN_B, AMPERE_24, AMPERE_24) == []


def test_fitting_keeps_the_cache_in_fp8_where_the_window_does_not_fit() -> None:
    assert flags(SEVEN_B, ADA_24) == [KV_IN_FP8]
    assert flags(SEVEN_B, ADA_24, window=32_000) == []


def test_fitting_says_what_does_not_fit() -> None:
    ((_, why),) = fitting(SEVEN_B, [ADA_24], 0.9, None, ())
    tokens = int(why.split("holds ")[1].split(" tokens")[0].replace(",", ""))
    assert 50_000 < tokens < 131_072
    assert "131,072" in why


def test_fitting_reads_weights_in_fp8_only_where_they_do_not_fit() -> None:
    assert flags(replace(SEVEN_B, weights=28 * 10**9), ADA_24) == [WEIGHTS_IN_FP8, KV_IN_FP8]
    assert flags(replace(SEVEN_B, weights=28 * 10**9), H200) == []


@pytest.mark.parametrize(
    "given", [("--kv-cache-dtype", "auto"), ("--kv_cache_dtype=auto",), ("-q", "awq"), ("--dtype=float16",)]
)
def test_fitting_leaves_numeric_types_that_the_user_names(given: tuple[str, ...]) -> None:
    assert flags(SEVEN_B, ADA_24, given=given) == []


def test_fitting_chooses_nothing_without_a_gpu_that_computes_in_fp8() -> None:
    assert flags(SEVEN_B) == []
    assert flags(SEVEN_B, AMPERE_24) == []


def test_fitting_agrees_with_what_vllm_held_on_an_h200() -> None:
    """vLLM's log there: 2,058,448 tokens in 16 bits, 4,116,912 in fp8."""
    longer = replace(SEVEN_B, window=4_000_000)
    ((_, why),) = fitting(longer, [H200], 0.9, None, ())
    assert int(why.split("holds ")[1].split(" tokens")[0].replace(",", "")) == pytest.approx(2_058_448, rel=0.01)


def test_needs_reads_a_model_of_layers_and_heads(tmp_path: Path) -> None:
    folder = model(
        tmp_path / "m",
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        hidden_size=3584,
        max_position_embeddings=131_072,
    )
    assert needs(folder) == Needs(1000, 57_344, 131_072)


def test_needs_reads_the_compressed_cache_of_deepseek(tmp_path: Path) -> None:
    text = {
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
        "max_position_embeddings": 163_840,
    }
    assert needs(model(tmp_path / "m", text_config=text)) == Needs(1000, 2 * 27 * 576, 163_840)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 64},
        {
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 9,
            "quantization_config": {"a": 1},
        },
        {"num_hidden_layers": "2", "num_attention_heads": 0, "max_position_embeddings": 9},
    ],
)
def test_needs_is_none_where_the_configuration_says_too_little(tmp_path: Path, config: dict[str, Any]) -> None:
    assert needs(model(tmp_path / "m", **config)) is None
    assert needs("Qwen/Qwen2.5-7B-Instruct") is None


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo '143771, 9.0'; echo '143771, 9.0'", [H200, H200]),
        ("echo '[N/A], 12.1'", []),
        ("echo failed >&2; exit 9", []),
        ("exec sleep 60", []),
    ],
)
def test_gpus_reads_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, found: list[Gpu]) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(nvidia, "TIMEOUT", 0.5)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert gpus() == found


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine's processor says what it has."""
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "CPU_INFO", info)
    return info


def test_on_processor_computes_in_32_bits_without_bfloat16(tmp_path: Path, processor: Path) -> None:
    folder = model(tmp_path / "m", dtype="bfloat16")
    processor.write_text("flags\t\t: fpu avx2 avx512f avx512_vnni\n")
    [(more, why)] = on_processor(folder, 0.2, ())
    assert more == ("--dtype", "float32")
    assert "bfloat16" in why
    assert on_processor(folder, 0.2, ("--dtype=bfloat16",)) == []


@pytest.mark.parametrize(
    "info",
    ["flags\t\t: fpu avx512f avx512_bf16\n", "flags : amx_bf16 amx_tile\n", "Features\t: fp asimd bf16 i8mm\n", None],
)
def test_on_processor_leaves_one_with_bfloat16_or_that_says_nothing(
    tmp_path: Path, processor: Path, info: str | None
) -> None:
    if info is not None:
        processor.write_text(info)
    assert on_processor(model(tmp_path / "m", dtype="bfloat16"), 0.2, ()) == []


@pytest.mark.parametrize(
    "config", [{}, {"dtype": "float32"}, {"dtype": "bfloat16", "quantization_config": {"bits": 4}}]
)
def test_on_processor_leaves_weights_that_have_no_16_bits(
    tmp_path: Path, processor: Path, config: dict[str, Any]
) -> None:
    processor.write_text("flags : avx2\n")
    assert on_processor(model(tmp_path / "m", **config), 0.2, ()) == []


def test_on_processor_leaves_a_model_that_would_fill_the_memory(tmp_path: Path, processor: Path) -> None:
    processor.write_text("flags : avx2\n")
    folder = model(tmp_path / "m", torch_dtype="float16")
    assert on_processor(folder, 0.2, ())
    assert on_processor(folder, 3999 / psutil.virtual_memory().total, ()) == []  # of 4,000 bytes
    assert on_processor("Qwen/Qwen2.5-7B-Instruct", 0.2, ()) == []
