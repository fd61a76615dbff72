"""A campaign over a fleet in virtual time: ``python -m tests.host.admin.fleet 10000`` prints figures.

Most terminals are rows; a few are wires that sell every few days until the host stops them, and settle then.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from host.decision import Insert
from host.lifecycle import State
from host.records import DeviceModel, Merchant, Terminal, columns
from host.store.books import Books
from tests.host.wire import Lab, Sold, Wire

MODELS_FILE = Path(__file__).parents[3] / "scenarios" / "retirement" / "models_to_retire.csv"
DAYS = 120
STOP_DAYS = 110
SELL_EVERY_DAYS = 10


@dataclass(slots=True)
class Fleet:
    """A lab with a fleet; ``sellers`` are the wires, ``sold`` what they sold, by serial number."""

    lab: Lab
    content: bytes
    sellers: list[Wire]
    sold: dict[str, list[Sold]]


def models() -> list[str]:
    """The models of the fixture."""
    lines = MODELS_FILE.read_text(encoding="utf-8").splitlines()[1:]
    return [line.partition(",")[0] for line in lines]


def build(lab: Lab, terminals: int, sellers: int) -> Fleet:
    """A fleet in service: terminal n is of model n modulo 196, of merchant n // 3."""
    names = models()

    def unit(books: Books) -> None:
        for name in names:
            books.write(Insert("models", columns(DeviceModel(name, "百富", "traditional"))))
        for number in range(terminals - sellers):
            merchant_id = f"8981{number // 3:011d}"
            if number % 3 == 0:
                books.write(Insert("merchants", columns(Merchant(merchant_id, f"shop {number}", active=True))))
            terminal = Terminal(
                f"FL{number:08d}", names[number % len(names)], merchant_id, f"5{number:07d}", State.ACTIVATED,
                tmk=lab.store.keys.new_tmk(f"FL{number:08d}"), activated_at=1, registered_at=1,
            )  # fmt: skip
            books.write(Insert("terminals", columns(terminal)))

    lab.store.run(unit)
    wires = [
        Wire(lab, f"SELL{number:06d}", f"6{number:07d}", f"8982{number:011d}", model=names[number]).activated()
        for number in range(sellers)
    ]
    return Fleet(lab, MODELS_FILE.read_bytes(), wires, {wire.serial_number: [] for wire in wires})


def play(fleet: Fleet, waves: int, capacity: int) -> int:
    """Plan, start, and let 120 days go by, with the jobs three times a day; returns the campaign's number."""
    lab = fleet.lab
    number = lab.act(
        "plan_campaign", content=fleet.content, title="old models", waves=waves, capacity=capacity, stop_days=STOP_DAYS
    )["number"]
    lab.act("start_campaign", number=number)
    for day in range(DAYS):
        for _ in range(3):
            while lab.act("run_jobs")["more"]:
                pass
            lab.later(hours=8)
        if day % SELL_EVERY_DAYS == 0:
            for wire in fleet.sellers:
                _sell(fleet, wire)
    for wire in fleet.sellers:
        assert wire.reason(wire.sale(100)) == "terminal.stopped"
        wire.settle()
        lab.act("payout", merchant_id=wire.merchant_id)
    return int(number)


def _sell(fleet: Fleet, wire: Wire) -> None:
    if fleet.lab.terminal(wire.serial_number)["state"] == State.STOPPED:
        return
    if wire.code(wire.sale(10_000)) == "00":
        fleet.sold[wire.serial_number].append(Sold(wire.batch, "", 10_000, "", ""))


def check(fleet: Fleet, number: int) -> dict[str, int]:
    """What must hold at the end; returns sums. Raises AssertionError."""
    lab = fleet.lab
    progress = lab.act("campaign", number=number)
    items = {item["serial_number"]: item for item in progress["items"]}
    assert (progress["states"], progress["state"]) == ({"stopped": len(items)}, "done")
    assert progress["scope"] == len(items)
    assert {row["state"] for row in lab.rows("terminals")} == {State.STOPPED}
    stopped = {row["serial_number"]: row["at"] for row in lab.rows("audit", act="stop")}
    late = [stopped[name] - item["stop_at"] for name, item in items.items()]
    assert min(late) >= 0
    assert max(late) <= 8 * 3600
    for row in lab.rows("transactions", state="captured"):
        assert row["at"] < items[row["serial_number"]]["stop_at"]
    assert lab.violations() == []
    assert {name for name, fen in lab.act("accounts")["accounts"].items() if name.endswith(":payable") and fen} == set()
    told: dict[tuple[str, str], list[int]] = {}
    for row in lab.rows("inbox"):
        assert row["sent_at"] is not None
        told.setdefault((row["serial_number"], row["channel"]), []).append(row["sent_at"])
    figures = lab.policy.notices
    for times in told.values():
        assert len(times) <= 4
        for at in times:
            assert sum(at - figures.window_s < other <= at for other in times) <= figures.most
    assert len({(row["serial_number"], row["step"], row["stop_at"]) for row in lab.rows("notices")}) == len(
        lab.rows("notices")
    )
    return {"terminals": len(items), "notices": len(lab.rows("notices")), "messages": sum(map(len, told.values()))}


def main(terminals: int) -> None:
    """Play once and print what it took."""
    with TemporaryDirectory(prefix="poslab-fleet-") as directory:
        lab = Lab(Path(directory) / "host.db")
        began_s = perf_counter()
        fleet = build(lab, terminals, 20)
        built_s = perf_counter()
        number = play(fleet, waves=4, capacity=terminals // 50)
        played_s = perf_counter()
        told = check(fleet, number)
        checked_s = perf_counter()
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size_mb = lab.path.stat().st_size / 2**20
        print(told)
        print(f"built in {built_s - began_s:.1f} s, {DAYS} days in {played_s - built_s:.1f} s")
        print(f"checked in {checked_s - played_s:.1f} s, {memory_mb:.0f} MB of memory, {size_mb:.0f} MB of database")
        lab.store.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
