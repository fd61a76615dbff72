"""TABLE GATES: its order as a text table, what it spares, and that every gate refuses somebody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import pytest

from host.case import Case, Request, Snapshot
from host.gates import GATES, RENMINBI, Gate, Stage, first_refusal
from host.keys import KeyDesk, MacCheck
from host.lifecycle import ABSENT, ALL_KINDS, DRAIN, FINISHING, NEW_BUSINESS, PERMITS, UNREGISTERED, State
from host.policy import Policy
from host.records import DeviceModel, Hold, Merchant, Terminal, Transaction, TransactionState
from protocol.elements import Value
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.message import Message
from protocol.private import Control, DeviceInfo, Original
from tests.host.wire import DEBIT, START, Wire, fresh_bytes, refusal

KEYS: Final = KeyDesk(bytes(32), fresh_bytes())
AT: Final = int(START.timestamp())

# Every row passes one check more than the row above it; a row that is repaired by `with` stays repaired.
PRECEDENCE: Final = """
| gate                                | code | reason                   | repaired with       |
| malformed                           | 30   | message.malformed        | all fields          |
| unknown terminal                    | 97   | terminal.unknown         | a known terminal    |
| not registered                      | 97   | terminal.not_registered  | an approved form    |
| merchant                            | 03   | merchant.unknown         | a merchant          |
| merchant                            | 03   | merchant.inactive        | an active merchant  |
| bound elsewhere                     | 97   | terminal.other_device    | the bound device    |
| bound elsewhere                     | 97   | terminal.other_merchant  | its own merchant    |
| replaced, retired, lost or tampered | 97   | terminal.replaced        | a device in service |
| not signed on                       | 77   | terminal.not_signed_on   | a sign-on           |
| MAC                                 | A0   | message.mac              | a good MAC          |
| wrong batch                         | 77   | terminal.wrong_batch     | the open batch      |
| currency                            | 12   | currency.unsupported     | renminbi            |
| stopped                             | 58   | terminal.stopped         | no stop             |
| held                                | 58   | hold.fraud               | no holds            |
| model                               | 58   | model.unknown            | a catalogued model  |
| model                               | 58   | model.retired            | a current model     |
| firmware                            | 58   | firmware.too_old         | new firmware        |
| parameters                          | 77   | terminal.parameters_old  | what is published   |
| not activated                       | 58   | terminal.not_activated   | activation          |
| STAN used                           | 94   | request.key_reused       | a new STAN          |
"""


def read_table(text: str) -> list[list[str]]:
    """The cells of a text table without its heading."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()]
    return rows[1:]


@dataclass
class World:
    """What a refund meets when everything is wrong at once; ``repair`` mends one thing."""

    terminal: Terminal | None
    tenant: Terminal | None
    snapshot: Snapshot
    mac: MacCheck
    batch: str
    whole: bool
    currency: str = "840"

    @classmethod
    def all_wrong(cls) -> World:
        hold = Hold(1, "S1", "fraud", "", "admin", 0)
        row = Transaction("10000001", "000001", "000009", "S1", "M1", "sale", TransactionState.CAPTURED, 100)
        return cls(None, None, Snapshot(holds=(hold,), existing=row), MacCheck.ABSENT, "000001", whole=False)

    def repair(self, what: str) -> None:
        """Mend one thing and leave all the others wrong."""
        known = Terminal(
            "S1", "PX", "M1", "10000001", State.SUBMITTED, why="old", batch="000007", replaced_by="S2", due="1"
        )
        other = replace(known, serial_number="S9", state=State.ACTIVATED)
        merchant = Merchant("M2")
        terminal = self.terminal
        if what == "all fields":
            self.whole = True
        elif what == "a known terminal":
            self.terminal, self.tenant = known, other
        elif what == "a merchant":
            self.snapshot = replace(self.snapshot, merchant=merchant)
        elif what == "an active merchant":
            self.snapshot = replace(self.snapshot, merchant=replace(merchant, active=True))
        elif what == "its own merchant":
            self.snapshot = replace(self.snapshot, merchant=Merchant("M1", active=True))
            self.change(state=State.REPLACED)
        elif what == "a good MAC":
            self.mac = MacCheck.CURRENT
        elif what == "the open batch":
            self.batch = "000007"
        elif what == "renminbi":
            self.currency = RENMINBI
        elif what == "no holds":
            self.snapshot = replace(self.snapshot, holds=())
        elif what == "a catalogued model":
            self.snapshot = replace(
                self.snapshot, model=DeviceModel("PX", "brand", "family", min_firmware="2.0.0", retired_at=AT)
            )
        elif what == "a current model":
            assert self.snapshot.model
            self.snapshot = replace(self.snapshot, model=replace(self.snapshot.model, retired_at=AT + 1))
        elif what == "a new STAN":
            self.snapshot = replace(self.snapshot, existing=None)
        elif what == "the bound device":
            self.tenant = None
        else:
            assert terminal is not None
            changes: dict[str, dict[str, object]] = {
                "an approved form": {"state": State.REGISTERED},
                "a device in service": {"state": State.STOPPED},
                "a sign-on": {"signed_on": True, "working_keys": b"sealed"},
                "no stop": {"state": State.RETIRING},
                "new firmware": {"firmware": "2.0.0"},
                "what is published": {"due": "3"},
                "activation": {"activated_at": 1},
            }
            self.change(**changes[what])

    def change(self, **changes: object) -> None:
        """Change the terminal that speaks."""
        assert self.terminal is not None
        self.terminal = replace(self.terminal, **changes)  # type: ignore[arg-type]

    def case(self, kind: str = "refund") -> Case:
        """The case as it stands now."""
        fields = dict.fromkeys(KINDS[kind].request.must, "1") if self.whole else {}
        message = Message(
            KINDS[kind].mti, {**fields, F.TERMINAL_ID: "10000001", F.CURRENCY: self.currency} if fields else {}
        )
        request = Request(KINDS[kind], message, Control("25", self.batch), DeviceInfo(), b"")
        snapshot = replace(self.snapshot, terminal=self.terminal, tenant=self.tenant)
        return Case(request, snapshot, self.mac, Policy(parameters_required=True), KEYS, START)


def test_the_gates_refuse_in_the_order_of_the_table() -> None:
    """A stopped terminal would be told to sign on again for ever, or a stranger be told about somebody's holds."""
    world = World.all_wrong()
    names = []
    for gate, code, reason, repair in read_table(PRECEDENCE):
        refused = first_refusal(world.case(), GATES)
        assert refused is not None
        assert (gate, code, reason) == (_who_refuses(world.case()), refused.code, refused.reason)
        names.append(gate)
        world.repair(repair)
    assert first_refusal(world.case(), GATES) is None
    assert list(dict.fromkeys(names)) == [gate.name for gate in GATES]


def _who_refuses(case: Case) -> str:
    return next(gate.name for gate in GATES if first_refusal(case, [gate]))


READ_PERMITS: Final = frozenset({"stopped", "not activated"})
"""Gates that ask TABLE PERMITS about every kind; below, every state is played with every kind."""


@pytest.mark.parametrize(
    "gate",
    [gate for gate in GATES if gate.stage is Stage.PERMISSION and gate.name not in READ_PERMITS],
    ids=lambda gate: gate.name,
)
@pytest.mark.parametrize("kind", sorted(DRAIN))
def test_the_drain_list_passes_every_permission_but_the_batch_of_a_settlement(gate: Gate, kind: str) -> None:
    """A stopped terminal would be stranded with a pending reversal, and the shop's money with it."""
    spared = kind in gate.spares
    assert spared or (gate.name, kind) == ("wrong batch", "settlement")


@pytest.mark.parametrize("kind", sorted(NEW_BUSINESS))
def test_new_business_is_spared_by_no_gate(kind: str) -> None:
    """A held terminal would go on selling."""
    assert [gate.name for gate in GATES if kind in gate.spares] == []


def test_gates_name_only_kinds_that_exist() -> None:
    """A misspelt kind in a row would silently be refused or let through."""
    assert all(gate.spares <= ALL_KINDS for gate in GATES)
    assert len({gate.name for gate in GATES}) == len(GATES)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("kind", sorted(ALL_KINDS))
def test_a_state_lets_through_what_it_permits(state: State, kind: str) -> None:
    """A lost terminal would sell, or a stopped one could not be settled."""
    world = World.all_wrong()
    for *_, repair in read_table(PRECEDENCE):
        if repair != "activation":
            world.repair(repair)
    world.change(state=state, bound=False)
    refused = first_refusal(world.case(kind), GATES)
    if kind == "why":
        expected = ""
    elif state in UNREGISTERED and kind not in PERMITS[state]:
        expected = "terminal.not_registered"
    elif state in ABSENT:
        expected = "" if kind in FINISHING else f"terminal.{state}"
    elif state is State.STOPPED and kind in NEW_BUSINESS:
        expected = "terminal.stopped"
    else:
        needs_activation = kind in ("refund", "preauth", "additional_preauth")
        expected = "terminal.not_activated" if needs_activation else ""
    assert (refused.reason if refused else "") == expected


@pytest.mark.parametrize("kind", sorted(NEW_BUSINESS))
def test_new_business_in_another_currency_is_refused(active: Wire, kind: str) -> None:
    """A hundred dollars would be given back as a hundred yuan."""
    sold = active.sell(5_000)
    fields: dict[int, Value] = {F.CURRENCY: "840"}
    if kind != "sale":
        fields |= {F.RRN: sold.rrn, F.AUTH_ID: "000001", F.ORIGINAL: str(Original(sold.batch, sold.stan, "0301"))}
    reply = active.send(active.build(kind, active.money(5_000, DEBIT, active.stan()) | fields))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("12", "currency.unsupported")
    assert len(active.lab.rows("transactions", batch=active.batch)) == 1
