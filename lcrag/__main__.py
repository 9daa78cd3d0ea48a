"""``python -m lcrag`` is ``lcrag``."""

from __future__ import annotations

from lcrag.cli.app import main

if __name__ == "__main__":
    main()
