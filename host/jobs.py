"""TABLE JOBS: what a host does by itself, every minute: what fell due by its date (product T, R15, U10, D, M).

Rules owned here: a run is one unit on the whole store, so several hosts do a thing once between them; a job that failed
holds up no other and is tried again at the next run; where nothing is due, nothing is locked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from host.admin import calendar, campaigns, disputes, fallbacks, money
from host.admin.acts import conduct, desk_at
from host.admin.desk import Desk
from host.errors import AdminError, StoreError
from host.store.books import Books
from host.store.database import Store

log = logging.getLogger("poslab.host")
EVERY_S: Final = 60.0
ACTOR: Final = "host"


@dataclass(frozen=True, slots=True)
class Job:
    """A row of JOBS: an act without arguments, and whether there is anything for it to do."""

    act: str
    is_due: Callable[[Desk], bool]


JOBS: Final = (
    Job("run_jobs", campaigns.is_anything_due),
    Job("sweep", calendar.is_sweep_due),
    Job("overdue_disputes", disputes.is_any_overdue),
    Job("settle_fallbacks", fallbacks.is_settling_due),
    Job("run_payouts", money.is_payout_due),
)


async def keep_running(store: Store, clock: Callable[[], datetime], every_s: float = EVERY_S) -> None:
    """Run what is due, then again after a while, until it is cancelled."""
    while True:
        for job in JOBS:
            await _run(store, clock, job)
        await asyncio.sleep(every_s)


async def _run(store: Store, clock: Callable[[], datetime], job: Job) -> None:
    try:
        while await run_once(store, clock, job):
            pass
    except (StoreError, AdminError) as error:
        log.error("%s is put off: %s", job.act, error)
    except Exception:  # a defect of ours must not end the other jobs, and must be seen
        log.exception("%s failed", job.act)


async def run_once(store: Store, clock: Callable[[], datetime], job: Job) -> bool:
    """One run of a job; tells whether more is due at once. Raises StoreError and AdminError."""

    def is_due(books: Books) -> bool:
        return job.is_due(desk_at(books, store.keys, clock(), actor=ACTOR))

    def unit(books: Books) -> bool:
        done = conduct(desk_at(books, store.keys, clock(), actor=ACTOR), job.act, {})
        return bool(done.get("more"))

    if not await asyncio.wrap_future(store.read(is_due)):
        return False
    return await asyncio.wrap_future(store.submit(unit))
