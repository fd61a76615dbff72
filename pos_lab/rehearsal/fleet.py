"""The fleet of a rehearsal: shops, their terminals and tills, and how each merchant will behave.

Rules owned here: terminal n is of the n-th model of the list in turn, those of other models are spread evenly among
them, and so are the tills that sell on the wire; every terminal is in service on the first day. The seed alone decides
who behaves how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from host.decision import Insert
from host.lifecycle import State
from host.records import DeviceModel, Merchant, Terminal, columns
from host.store.books import Books
from pos_lab.rehearsal.office import Office
from pos_lab.rehearsal.plan import Behaviour, Listed, Rehearsal
from pos_lab.rehearsal.till import Till
from pos_lab.sim.chance import Streams

OTHER_MODEL: Final = "PX-E90"
"""What those terminals are whose model is not on the list."""
_TMK_BYTES: Final = 16


@dataclass(slots=True)
class Shop:
    """One terminal and who uses it. ``knows`` once a notice was read; instants are epoch seconds, 0 for never.

    ``swap_at`` is the next appointment, ``swapped_at`` when the till had its new device. ``till`` is None for one
    that is only rows: nothing of it goes over the wire.
    """

    serial_number: str
    model: str
    merchant_id: str
    terminal_id: str
    behaviour: Behaviour
    till: Till | None = None
    knows: bool = False
    refused: bool = False
    swap_at: int = 0
    missed: int = 0
    swapped_at: int = 0
    successor: str = ""
    lost_at: int = 0
    exempt: bool = False


def build(office: Office, rehearsal: Rehearsal, models: Listed, streams: Streams) -> list[Shop]:
    """A fleet in service, its tills signed on. Raises Unexpected where the host lets one of them not."""
    chance = streams.of("fleet")
    behaviours, weights = rehearsal.behaviours, [row.share for row in rehearsal.behaviours]
    size, fleet, at = rehearsal.fleet.terminals, rehearsal.fleet, office.at
    names = [_model(number, rehearsal, models) for number in range(size)]
    shops = [
        Shop(
            f"RH{number:08d}",
            names[number],
            f"8981{number // fleet.per_merchant:011d}",
            f"5{number:07d}",
            chance.choices(behaviours, weights)[0],
        )
        for number in range(size)
    ]
    for shop in _spread(shops, fleet.on_wire):
        tmk = chance.randbytes(_TMK_BYTES)
        shop.till = Till(shop.serial_number, shop.model, shop.terminal_id, shop.merchant_id, tmk)

    def unit(books: Books) -> None:
        known = {row["model"] for row in books.rows("models")}
        for name in sorted({*models.names, OTHER_MODEL} - known):
            books.write(Insert("models", columns(DeviceModel(name, "—", "traditional"))))
        for merchant_id in dict.fromkeys(shop.merchant_id for shop in shops):
            books.write(Insert("merchants", columns(Merchant(merchant_id, "shop", active=True, renewed_at=at))))
        for shop in shops:
            books.write(Insert("terminals", columns(_terminal(office, shop, at))))

    office.store.run(unit)
    for shop in shops:
        if shop.till:
            shop.till.sign_on(office.ask)
    return shops


def _model(number: int, rehearsal: Rehearsal, models: Listed) -> str:
    """Every 1/others-th terminal is another model; the rest takes the list in turn."""
    others = rehearsal.fleet.others
    before, after = int(number * others), int((number + 1) * others)
    return OTHER_MODEL if after > before else models.names[(number - before) % len(models.names)]


def _spread(shops: list[Shop], count: int) -> list[Shop]:
    if count >= len(shops):
        return shops
    return [shops[place * len(shops) // count] for place in range(count)]


def _terminal(office: Office, shop: Shop, at: int) -> Terminal:
    keys = office.store.keys
    tmk = keys.new_tmk(shop.serial_number, shop.till.tmk if shop.till else None)
    return Terminal(
        shop.serial_number, shop.model, shop.merchant_id, shop.terminal_id, State.ACTIVATED,
        tmk=tmk, activated_at=at, registered_at=at,
    )  # fmt: skip
