"""Real messages through the fast forms: they are read and written as the construct does it."""

from __future__ import annotations

import pytest

from tests.protocol.test_plan import BODIES, same_reading, taught
from tests.vectors import Vector, shared_vectors

VECTORS = [vector for layout in ("cup", "payby") for vector in shared_vectors("message", layout)]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_real_messages_are_read_and_written_alike(vector: Vector) -> None:
    """A real terminal's message would change when it becomes frequent."""
    body = BODIES[vector["layout"]]
    inputs = vector["inputs"]
    start = 2 * bool(inputs["has_length_prefix"]) + 11 * bool(inputs["has_tpdu_and_header"])
    raw = bytes.fromhex(vector["hex"])[start:]
    plan = taught(body, raw)
    for size in range(len(raw) + 1):
        same_reading(plan, body, raw[:size])
    assert plan.write(plan.read(raw)[0]) == raw
