"""The examiner on questions whose commit failed: which of what the host says is an answer to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from pos_lab.sim.checker.examiner import Examiner
from pos_lab.sim.checker.ledger import WATCHED
from pos_lab.sim.run import run_seed
from pos_lab.sim.world import Scale
from protocol.codec import seal
from protocol.elements import Value
from protocol.fields import F
from protocol.framing.stx_frame import stx_frame
from protocol.message import Message

LINE = "t1"


@pytest.fixture
def examiner() -> Iterator[Examiner]:
    """One who has heard a question on a cable, whose commit failed."""
    driver = sqlite3.connect(":memory:", isolation_level=None)
    for table, (_, columns) in WATCHED.items():
        driver.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
    made = Examiner(driver)
    made.lay_cable(LINE)
    _ask(made, "000001", is_doubtful=True)
    yield made
    driver.close()


def _ask(examiner: Examiner, batch: str, *, is_doubtful: bool = False) -> None:
    """A terminal fetches its commands, which is a question without a STAN."""
    fields: dict[int, Value] = {F.TERMINAL_ID: "20000001", F.CONTROL: f"22{batch}"}
    question = examiner.asked(LINE, seal(Message("0800", fields)))
    assert question is not None
    question.is_doubtful = is_doubtful


def _say(examiner: Examiner, local_time: str) -> None:
    fields: dict[int, Value] = {F.TERMINAL_ID: "20000001", F.CONTROL: "22000002", F.RESPONSE_CODE: "00"}
    fields[F.LOCAL_TIME] = local_time
    examiner.replied(stx_frame(seal(Message("0810", fields))), LINE)


def _ids(examiner: Examiner) -> list[str]:
    return [violation.id for violation in examiner.violations]


def test_a_reply_that_is_said_again_on_a_cable_answers_nobody_else(examiner: Examiner) -> None:
    """A host on a noisy cable would be accused of answering what it does not know, for repeating itself as it must."""
    _ask(examiner, "000002")
    _say(examiner, "120000")
    _say(examiner, "120000")
    _say(examiner, "120000")
    assert _ids(examiner) == []
    _say(examiner, "120001")
    assert _ids(examiner) == ["J6"], "what was not said before is an answer, and nobody else waits for one"


def test_what_is_in_doubt_is_not_answered(examiner: Examiner) -> None:
    """A host could say that it is done, of what its disk may have lost."""
    _say(examiner, "120000")
    assert _ids(examiner) == ["J6"]


def test_a_connection_says_nothing_twice(examiner: Examiner) -> None:
    """A host could answer what is in doubt with the reply before, where no line discipline repeats it."""
    examiner.evidence.cables.clear()
    _ask(examiner, "000002")
    _say(examiner, "120000")
    _say(examiner, "120000")
    assert _ids(examiner) == ["J6"]


def test_the_seed_in_which_a_cable_garbled_a_reply_passes() -> None:
    """A shop on a serial line would be told that its host answers at random.

    Seed 30187 (everything): a fetch of commands was in doubt, and minutes later the reply to another one was garbled.
    """
    assert run_seed(30187, "", scale=Scale(2, 14)).passed
