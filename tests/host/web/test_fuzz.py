"""The API under schemathesis: whatever it is sent, it never fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error

from host.admin.office import Office
from host.admin.tokens import Role
from host.tally import Tally
from host.web.api import describe
from tests.host.wire import Lab, Wire

EXAMPLES = 4


def test_nothing_that_it_is_sent_makes_it_fail(tmp_path: Path) -> None:
    """A client with a defect would find ours."""
    lab = Lab(tmp_path / "fuzz.db")
    Wire(lab).on_counter()
    secret = lab.act("create_token", person="zhang", role=Role.SUPERVISOR)["token"]
    schema = schemathesis.openapi.from_asgi("/openapi.json", describe(Office(lab.store, lambda: lab.now, Tally())))
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def sent(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, checks=[not_a_server_error])

        sent()
        asked += 1
    assert asked > 50
    assert lab.act("verify_audit")["whole"]
    lab.store.close()
