"""Measures a backend, so that the router uses its own curves and costs instead of assumed ones."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from lcrag.backends import open_backend
from lcrag.paths import state_folder
from lcrag.planning.profile import load_profile, profile_path, save_profile
from lcrag.retrieve import open_embedder, open_reranker
from lcrag.session import Session
from lcrag.types import Backend, Emit, Profile, Settings


def calibrate_backend(settings: Settings, emit: Emit, *, quick: bool = False) -> tuple[Profile, Path]:
    """Measure the backend that the settings name and store its Profile; with paths, the probes are put into those
    documents. Returns the profile and its file.

    Every outcome is stored as it comes, so that an interrupted run resumes. Raises what the backend raises.
    """
    from lcrag.calibrate.calibrate import CorpusText, calibrate
    from lcrag.calibrate.outcomes import Outcomes
    from lcrag.calibrate.probes import EnglishProbes

    with ExitStack() as cleanup:
        if settings.paths:
            session = cleanup.enter_context(Session.open(settings, emit))
            backend, text = session.backend, CorpusText(session.corpus)
        else:
            backend, text = _open(settings, emit), None
        identity, state = backend.identity, backend.cache_state()
        suffix = ".quick" if quick else ".full"
        outcomes_file = state_folder() / "calibrate" / profile_path(identity).with_suffix(suffix).name
        outcomes_file.parent.mkdir(parents=True, exist_ok=True)
        profile = calibrate(
            backend,
            EnglishProbes(backend, text),
            emit,
            outcomes=Outcomes.resumed(outcomes_file),
            quick=quick,
            seed=settings.seed,
            dtype=identity.dtype,
            device=identity.device,
            kv_tokens=state.capacity_tokens if state is not None else None,
        )
        path = save_profile(profile)
        outcomes_file.unlink()
    return profile, path


def known_profile(settings: Settings, emit: Emit) -> Profile:
    """The Profile of the backend that the settings name: the measured one if there is one."""
    return load_profile(_open(settings, emit).identity)


def _open(settings: Settings, emit: Emit) -> Backend:
    return open_backend(
        settings,
        emit,
        lambda: (
            open_embedder(settings.dense, settings.embedder, emit),
            open_reranker(settings.dense, settings.reader, emit),
        ),
    )
