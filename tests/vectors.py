"""The shared protocol vectors: real messages, MACs, keys and PIN blocks, read from beside the checkout.

``POSLAB_VECTORS`` names the file; without it, it is looked for in the parent of the checkout. Where there is none, the
tests that ask for a vector are skipped and say so; asked at import, the whole module is.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REASON = "the shared vectors are not beside this checkout"

Vector = dict[str, Any]


def shared_vectors(kind: str | None = None, layout: str | None = None) -> list[Vector]:
    """Return the vectors of one kind ("message", "mac", "kcv"…) and layout ("cup"), all of them by default."""
    vectors = _read()
    if vectors is None:
        pytest.skip(REASON, allow_module_level=True)
    return [v for v in vectors if kind in (None, v["kind"]) and layout in (None, v.get("layout"))]


def shared_vector(name: str) -> Vector:
    """Return the vector with the id ``name``; an id that the file lacks is a KeyError."""
    return {v["id"]: v for v in shared_vectors()}[name]


@cache
def _read() -> list[Vector] | None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "protocol" / "vectors.json"
    path = Path(os.environ.get("POSLAB_VECTORS", beside))
    if not path.is_file():
        return None
    vectors: list[Vector] = json.loads(path.read_text(encoding="utf-8"))
    return vectors
