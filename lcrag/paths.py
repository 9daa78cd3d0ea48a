"""Where lcrag keeps what it makes: the user's own folders, or those that the environment names."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Indexes and the exported embedding model, all of which can be made again: ``LCRAG_CACHE_DIR``."""
    from platformdirs import user_cache_path

    named = os.environ.get("LCRAG_CACHE_DIR")
    return Path(named) if named else user_cache_path("lcrag")


def state_folder() -> Path:
    """The memory and the log of the server that ``lcrag up`` started: ``LCRAG_STATE_DIR``."""
    from platformdirs import user_state_path

    named = os.environ.get("LCRAG_STATE_DIR")
    return Path(named) if named else user_state_path("lcrag")


def config_folder() -> Path:
    """The user's ``lcrag.toml`` and profiles."""
    from platformdirs import user_config_path

    return user_config_path("lcrag")
