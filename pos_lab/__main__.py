"""``python -m pos_lab`` is ``poslab``."""

from __future__ import annotations

from pos_lab.cli import main

if __name__ == "__main__":
    main()
