"""What a host does by itself: each thing once, whatever became of the one before it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from host import jobs
from host.admin.desk import Desk
from host.errors import StoreError
from host.jobs import JOBS, Job, keep_running, run_once
from host.policy import DAY_S, Payouts, Policy, Registration
from host.store.database import open_store
from protocol.fields import F
from tests.host.wire import CREDIT, Lab, Wire, fresh_bytes

BY_ACT = {job.act: job for job in JOBS}


async def ran(lab: Lab) -> None:
    """Every job, once."""
    for job in JOBS:
        await run_once(lab.store, lambda: lab.now, job)


def acts(lab: Lab) -> list[str]:
    """What the host itself has done."""
    return [row["act"] for row in lab.rows("audit") if row["actor"] == jobs.ACTOR]


def under(lab: Lab, policy: Policy) -> None:
    """Put rules in force for whoever reads them from the store."""
    lab.policy = policy
    lab.act("publish_policy", content=policy.model_dump_json().encode())


@pytest.mark.feature("U10")
async def test_a_hold_whose_time_is_up_is_closed(active: Wire) -> None:
    """The books would show a hold that nobody enforces any more."""
    active.lab.act("hold", serial_number=active.serial_number, reason="dispute", days=2)
    await ran(active.lab)
    assert active.lab.rows("holds")[0]["released_at"] is None
    active.lab.later(days=3)
    await ran(active.lab)
    assert active.lab.rows("holds")[0]["released_at"] is not None


@pytest.mark.feature("R15")
async def test_merchants_are_warned_before_their_papers_run_out(active: Wire) -> None:
    """A shop would be stopped by a hold that nobody had told it of."""
    lab = active.lab
    under(lab, Policy(registration=Registration(stale_after_s=30 * DAY_S)))
    lab.later(days=31)
    await ran(lab)
    await ran(lab)
    assert len([act for act in acts(lab) if act == "warn merchant"]) == 1


@pytest.mark.feature("D")
async def test_a_dispute_without_an_answer_is_lost(active: Wire) -> None:
    """Silence would keep the money for ever, unless somebody remembers to press a button."""
    lab, sold = active.lab, active.sell(10_000, CREDIT)
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    lab.act("open_dispute", merchant_id=active.merchant_id, rrn=sold.rrn, reason="not_mine")
    await ran(lab)
    assert lab.rows("disputes")[0]["state"] == "open"
    lab.later(days=11)
    await ran(lab)
    await ran(lab)
    assert lab.rows("disputes")[0]["state"] == "lost"
    assert len(lab.rows("postings", reason="chargeback")) == 1
    assert lab.violations() == []


@pytest.mark.feature("M")
@pytest.mark.parametrize("automatic", [True, False])
async def test_a_batch_is_paid_on_its_day_where_the_policy_says_so(active: Wire, automatic: bool) -> None:
    """A merchant would wait for a clerk, or be paid by a host that was told to leave it to one."""
    lab = active.lab
    under(lab, Policy(payouts=Payouts(automatic=automatic)))
    active.sell(10_000, CREDIT)
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    await ran(lab)
    assert "payout" not in acts(lab)
    lab.later(days=4)
    await ran(lab)
    await ran(lab)
    assert acts(lab).count("payout") == int(automatic)
    assert lab.act("accounts")["sum_fen"] == 0


async def test_two_hosts_do_a_thing_once(active: Wire) -> None:
    """Two processes on one database would take the money of a lost dispute twice."""
    lab, sold = active.lab, active.sell(10_000, CREDIT)
    active.settle()
    lab.act("open_dispute", merchant_id=active.merchant_id, rrn=sold.rrn, reason="not_mine")
    lab.later(days=11)
    other = open_store(lab.url, fresh_bytes("other"), key_file=lab.path.with_name(lab.path.name + ".key"))
    job = BY_ACT["overdue_disputes"]
    try:
        await asyncio.gather(*(run_once(store, lambda: lab.now, job) for store in (lab.store, other)))
    finally:
        other.close()
    assert len(lab.rows("postings", reason="chargeback")) == 1


async def test_nothing_due_locks_nothing(active: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every minute each host would hold up the sales of all others."""
    await ran(active.lab)
    monkeypatch.setattr(active.lab.store, "submit", None)
    await ran(active.lab)


@pytest.mark.parametrize("error", [StoreError("disk full"), KeyError("a defect")], ids=["foreseen", "defect"])
async def test_a_job_that_fails_holds_up_no_other(
    active: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """One bad row would end campaigns, payouts and deadlines until somebody starts the host again."""
    tries, done = [], asyncio.Event()

    def failing(desk: Desk) -> bool:
        tries.append(desk.at)
        raise error

    def next_one(desk: Desk) -> bool:
        if len(tries) > 1:
            done.set()
        return False

    monkeypatch.setattr(jobs, "JOBS", (Job("sweep", failing), Job("run_jobs", next_one)))
    with caplog.at_level(logging.ERROR):
        running = asyncio.create_task(keep_running(active.lab.store, lambda: active.lab.now, every_s=0.01))
        async with asyncio.timeout(5):
            while not done.is_set():
                await asyncio.sleep(0.01)
        running.cancel()
    assert "sweep" in caplog.text
