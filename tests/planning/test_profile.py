"""Profiles on disk: what is written comes back, belongs to one backend on one machine, and is refused when broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.backends.machine import device, dtype
from lcrag.errors import BadConfig
from lcrag.planning.profile import (
    builtin_profile,
    from_object,
    load_profile,
    profile_path,
    save_profile,
    to_object,
)
from lcrag.planning.use import effective_window
from lcrag.types import BackendIdentity, CostModel, Curve, Profile

CURVES: st.SearchStrategy[Curve] = st.lists(
    st.tuples(st.integers(1, 10**6), st.floats(0, 1)), min_size=1, max_size=6, unique_by=lambda point: point[0]
).map(lambda points: tuple(sorted(points)))
NUMBERS = st.floats(0, 10)
PROFILES = st.builds(
    Profile,
    st.text(min_size=1),
    st.just("server"),
    st.just("m"),
    st.integers(1, 10**6),
    st.fixed_dictionaries({"retrieved": CURVES, "consecutive": CURVES}),
    st.builds(CostModel, *[NUMBERS] * 7, error=st.none() | NUMBERS),
    st.booleans(),
    st.dictionaries(st.sampled_from(["fact", "list"]), st.dictionaries(st.just("retrieved"), CURVES)),
    st.dictionaries(st.sampled_from(["list", "count"]), st.integers(0, 999)),
    st.dictionaries(st.sampled_from(["note", "synthesise"]), CURVES),
    st.dictionaries(st.just("retrieved"), st.dictionaries(st.text(), st.floats(-1, 1))),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1),
    st.none() | st.integers(1, 10**7),
    st.text(),
    st.text(),
)


@given(PROFILES)
def test_profile_survives_json(profile: Profile) -> None:
    assert from_object(json.loads(json.dumps(to_object(profile)))) == profile


def test_profile_is_found_by_its_identity_only() -> None:
    profile = replace(builtin_profile("server", "/models/m", 8192), measured=True, dtype="bfloat16", device="H100")
    path = save_profile(profile)
    assert path.parent.name == "profiles"
    assert load_profile(BackendIdentity("server", "/models/m", 8192, "bfloat16", "H100")) == profile
    for other in (
        ("vllm", "/models/m", 8192, "bfloat16", "H100"),
        ("server", "/models/n", 8192, "bfloat16", "H100"),
        ("server", "/models/m", 4096, "bfloat16", "H100"),
        ("server", "/models/m", 8192, "float16", "H100"),
        ("server", "/models/m", 8192, "bfloat16", "L4"),
    ):
        assert not load_profile(BackendIdentity(*other)).measured
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_profile_of_the_first_schema_is_read_under_its_new_names() -> None:
    profile = replace(builtin_profile("server", "m", 4096), output_ratio=0.5, measured=True)
    old = to_object(profile)
    old["schema"] = "lcrag.profile/1"
    old["handed"], old["brevity"] = old.pop("retention"), old.pop("output_ratio")
    names = {"per_batch": "a", "per_token": "b", "per_pair": "c", "per_step": "d"}
    names |= {"per_call": "more", "per_step_token": "context", "per_step_call": "crowd", "error": "error"}
    old["cost"] = {names[name]: value for name, value in old["cost"].items()}
    assert from_object(json.loads(json.dumps(old))) == profile


@pytest.mark.parametrize(
    "breaks",
    [
        lambda value: value.update(schema="lcrag.profile/9"),
        lambda value: value.pop("cost"),
        lambda value: value["use"].pop("retrieved"),
        lambda value: value["use"].update(retrieved=[]),
        lambda value: value["use"].update(retrieved=[[2, 0.5], [1, 0.4]]),
        lambda value: value["use"].update(retrieved=[[1, 1.5]]),
        lambda value: value.update(unheard="of"),
    ],
)
def test_profile_that_is_broken_is_refused_with_a_hint(breaks: object) -> None:
    value = to_object(builtin_profile("server", "m", 4096))
    breaks(value)  # type: ignore[operator]
    path = profile_path(BackendIdentity("server", "m", 4096))
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(BadConfig) as refused:
        load_profile(BackendIdentity("server", "m", 4096))
    assert refused.value.hint == "lcrag calibrate"


@pytest.mark.parametrize(
    ("curve", "window"),
    [
        (((512, 0.9),), 512),
        (((512, 0.9), (1024, 0.8), (2048, 0.5)), 1024),
        (((512, 0.9), (1024, 0.9), (2048, 0.77)), 2048),
        (((512, 0.3), (1024, 0.2)), 512),
        (((512, 0.9), (1024, 0.4), (2048, 0.9)), 512),
    ],
)
def test_effective_window_ends_before_the_first_lost_length(curve: Curve, window: int) -> None:
    assert effective_window(curve, 0.85) == window


def test_device_of_a_remote_server_is_its_host(tmp_path: Path) -> None:
    assert device("http://gpu-box:8000") == "gpu-box"
    assert device("http://127.0.0.1:8000") == device() != ""
    assert dtype(str(tmp_path)) == ""
    (tmp_path / "config.json").write_text('{"torch_dtype": "float32"}')
    assert dtype(str(tmp_path)) == "float32"
    (tmp_path / "config.json").write_text("[")
    assert dtype(str(tmp_path)) == ""
