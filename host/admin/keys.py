"""Master keys over the line: who may fetch one, and when it is another one (CUP 5.1)."""

from __future__ import annotations

from typing import Final

from host.admin.desk import Desk, Result
from host.errors import AdminError
from host.swap import PROVES_WIPE

HOURS_MAX: Final = 7 * 24
_HOUR_S: Final = 3600


def allow_download(desk: Desk, serial_number: str, hours: int = 24) -> Result:
    """Let a device fetch its master key over the line for some hours; tells what goes into it first: no secret."""
    terminal = desk.terminal(serial_number)
    if not 0 <= hours <= HOURS_MAX:
        raise AdminError(f"a download is open for 0 to {HOURS_MAX} hours", code="hours")
    desk.change(terminal, download_until=desk.at + hours * _HOUR_S)
    desk.note(serial_number, "allow download", f"for {hours} hours")
    till = {name: getattr(terminal, name) for name in ("model", "terminal_id", "merchant_id")}
    return {"serial_number": serial_number, **till, **desk.keys.host_key(desk.books.secret("signing"))}


def renew_tmk(desk: Desk, serial_number: str) -> Result:
    """Make another master key for a device. Its working keys stay good until the next sign-on, which needs it."""
    terminal, swap = desk.terminal(serial_number), desk.books.swap(serial_number)
    if swap and swap.serial_number == serial_number and swap.state in PROVES_WIPE:
        raise AdminError(
            f"swap {swap.number} of {serial_number} is {swap.state}: its master key has to prove the wipe",
            hint=f"hand over on {serial_number} until it is wiped",
            code="swap_open",
        )
    desk.change(terminal, tmk=desk.keys.new_tmk(serial_number))
    desk.note(serial_number, "renew master key", "made")
    return {"serial_number": serial_number, "check_value": desk.keys.tmk_check_value(desk.terminal(serial_number))}
