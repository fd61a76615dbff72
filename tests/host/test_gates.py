"""TABLE GATES: its order as a text table, what it spares, and that every gate refuses somebody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import pytest

from host.case import Case, Request, Snapshot, Standing
from host.gates import GATES, RENMINBI, Gate, Stage, first_refusal, refusal_at
from host.keys import KeyDesk, MacCheck
from host.lifecycle import ABSENT, ALL_KINDS, DRAIN, FINISHING, NEW_BUSINESS, PERMITS, UNREGISTERED, State
from host.policy import (
    Activation,
    Combination,
    Downloads,
    Firmware,
    Gates,
    Limits,
    Mandate,
    Models,
    Policy,
    Risk,
    Window,
)
from host.records import Alert, DeviceModel, Hold, Merchant, Plan, Terminal, Transaction, TransactionState
from protocol.elements import Value
from protocol.fields import F
from protocol.header import Header
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
| superseded line                     | 98   | terminal.superseded      | the newest line     |
| books ahead                         | 91   | terminal.books_ahead     | an earlier batch    |
| wrong batch                         | 77   | terminal.wrong_batch     | the open batch      |
| currency                            | 12   | currency.unsupported     | renminbi            |
| restored books                      | 91   | host.reconcile           | compared books      |
| stopped                             | 58   | terminal.stopped         | no stop             |
| maintenance                         | 90   | host.maintenance         | the window's end    |
| held                                | 58   | hold.fraud               | no full hold        |
| partly held                         | 57   | partial.dispute          | no holds            |
| model                               | 58   | model.unknown            | a catalogued model  |
| model                               | 58   | model.retired            | a current model     |
| certificate                         | 58   | model.certificate        | a certificate       |
| security level                      | 58   | model.security_level     | a safer model       |
| capability                          | 58   | model.incapable          | an able model       |
| family                              | 58   | model.family             | another family      |
| region                              | 58   | model.region             | the safest model    |
| firmware                            | 58   | firmware.blocked         | old firmware        |
| firmware                            | 58   | firmware.too_old         | new firmware        |
| compatibility                       | 58   | firmware.incompatible    | protocol 22         |
| protocol version                    | 40   | protocol.too_old         | protocol 32         |
| parameters                          | 77   | terminal.parameters_old  | what is published   |
| not activated                       | 58   | terminal.not_activated   | the turnover        |
| not activated                       | 58   | terminal.not_ready       | a sale              |
| limits                              | 61   | amount.over_limit        | a smaller amount    |
| limits                              | 61   | limit.daily              | a better day        |
| limits                              | 65   | limit.count              | a quieter day       |
| risk                                | 59   | risk.suspected           | an honest sale      |
| STAN used                           | 94   | request.key_reused       | a new STAN          |
| partner                             | 91   | partner.down             | a partner that is up |
"""


def read_table(text: str) -> list[list[str]]:
    """The cells of a text table without its heading."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()]
    return rows[1:]


RULES: Final = Policy(
    activation=Activation(needs_card=True),
    limits=Limits(single_fen=5_000, daily_fen=10_000, daily_count=3),
    models=Models(security_level=3, capabilities=("sm4",), families_refused=("mpos",)),
    mandates=(Mandate(region="44", since_at=AT, security_level=5),),
    compatibility=(Combination(model="PX", firmware_from="2.0.0", protocols=("22", "32")),),
    firmware=Firmware(protocol_min="30"),
    maintenance=(Window(begins_at=AT, lasts_s=60),),
    gates=Gates(certificate=True),
    downloads=Downloads(required=True),
    risk=Risk(rules=("amount",), amount_fen=4_000),
)
KNOWN: Final = Terminal(
    "S1",
    "PX",
    "M1",
    "10000001",
    State.SUBMITTED,
    why="old",
    batch="000007",
    replaced_by="S2",
    due="1",
    firmware="1.9.0",
    extended=True,
)
MODEL: Final = DeviceModel(
    "PX", "brand", "mpos", min_firmware="2.0.0", retired_at=AT, security_level=2, certificate_until=AT,
    blocked_firmware="1.9.0",
)  # fmt: skip
FULL: Final = Hold(1, "S1", "fraud", "", "admin", 0)
PARTIAL: Final = Hold(2, "S1", "dispute", "", "admin", 0, kinds="preauth")
USED: Final = Transaction("10000001", "000001", "000009", "S1", "M1", "sale", TransactionState.CAPTURED, 100)
WARNED: Final = Alert(1, "S1", "amount", "evidence", "warning", AT)

Change = dict[str, object]
REPAIRS: Final[dict[str, tuple[str, Change]]] = {
    "all fields": ("world", {"whole": True}),
    "a known terminal": (
        "snapshot",
        {"terminal": KNOWN, "tenant": replace(KNOWN, serial_number="S9", state=State.ACTIVATED)},
    ),
    "an approved form": ("terminal", {"state": State.REGISTERED}),
    "a merchant": ("snapshot", {"merchant": Merchant("M2")}),
    "an active merchant": ("merchant", {"active": True}),
    "the bound device": ("snapshot", {"tenant": None}),
    "its own merchant": (
        "snapshot",
        {"merchant": Merchant("M1", active=True, region="440300"), "terminal": replace(KNOWN, state=State.REPLACED)},
    ),
    "a device in service": ("terminal", {"state": State.STOPPED}),
    "a sign-on": ("terminal", {"signed_on": True, "working_keys": b"sealed"}),
    "a good MAC": ("world", {"mac": MacCheck.CURRENT}),
    "the newest line": ("world", {"fenced": False}),
    "an earlier batch": ("world", {"batch": "000001"}),
    "the open batch": ("world", {"batch": "000007"}),
    "renminbi": ("world", {"currency": RENMINBI}),
    "compared books": ("snapshot", {"is_restored": False}),
    "no stop": ("terminal", {"state": State.RETIRING}),
    "the window's end": ("world", {"now": START + timedelta(seconds=60)}),
    "no full hold": ("snapshot", {"holds": (PARTIAL,)}),
    "no holds": ("snapshot", {"holds": ()}),
    "a catalogued model": ("snapshot", {"model": MODEL}),
    "a current model": ("model", {"retired_at": None}),
    "a certificate": ("model", {"certificate_until": None}),
    "a safer model": ("model", {"security_level": 3}),
    "an able model": ("model", {"capabilities": "sm4 chip"}),
    "another family": ("model", {"family": "smart"}),
    "the safest model": ("model", {"security_level": 5}),
    "old firmware": ("terminal", {"firmware": "1.8.0"}),
    "new firmware": ("terminal", {"firmware": "2.0.0"}),
    "protocol 22": ("world", {"protocol": "22"}),
    "protocol 32": ("world", {"protocol": "32"}),
    "what is published": ("terminal", {"due": "3"}),
    "the turnover": ("snapshot", {"turnover_fen": 10_000}),
    "a sale": ("world", {"kind": "sale"}),
    "a smaller amount": ("world", {"amount_fen": 4_000}),
    "a better day": ("snapshot", {"day_fen": 0}),
    "a quieter day": ("snapshot", {"day_count": 0}),
    "an honest sale": ("world", {"amount_fen": 3_999}),
    "a new STAN": ("snapshot", {"existing": None}),
    "a partner that is up": ("snapshot", {"partner": ""}),
}
"""What is mended: of the request, of what the store knows, of the terminal, its merchant or its model."""


@dataclass
class World:
    """What a pre-authorisation, later a sale, meets when everything is wrong at once; ``repair`` mends one thing."""

    snapshot: Snapshot
    mac: MacCheck = MacCheck.ABSENT
    batch: str = "000009"
    whole: bool = False
    currency: str = "840"
    protocol: str = "21"
    amount_fen: int = 5_001
    fenced: bool = True
    kind: str = "preauth"
    now: datetime = START

    @classmethod
    def all_wrong(cls) -> World:
        """Nothing is as it should be."""
        day = {"day_fen": 6_001, "day_count": 3}
        wrong = {"alerts": (WARNED,), "partner": "down", "is_restored": True, **day}
        return cls(Snapshot(holds=(FULL, PARTIAL), existing=USED, **wrong))  # type: ignore[arg-type]

    def repair(self, what: str) -> None:
        """Mend one thing and leave all the others wrong."""
        where, changes = REPAIRS[what]
        if where == "world":
            for name, value in changes.items():
                setattr(self, name, value)
        elif where == "snapshot":
            self.snapshot = replace(self.snapshot, **changes)  # type: ignore[arg-type]
        else:
            part = getattr(self.snapshot, where)
            self.snapshot = replace(self.snapshot, **{where: replace(part, **changes)})

    def keep(self) -> None:
        """Keep the till's rows as a host does from one request to the next."""
        known = self.snapshot
        till = Standing(known.terminal, known.tenant, known.merchant, known.model, known.holds, known.plan)
        self.snapshot = replace(known, standing=till)

    def change(self, **changes: object) -> None:
        """Change the terminal that speaks."""
        assert self.snapshot.terminal is not None
        self.snapshot = replace(self.snapshot, terminal=replace(self.snapshot.terminal, **changes))  # type: ignore[arg-type]

    def case(self, kind: str = "", rules: Policy = RULES) -> Case:
        """The case as it stands now."""
        kind = kind or self.kind
        fields: dict[int, Value] = dict.fromkeys(KINDS[kind].request.must, "1") if self.whole else {}
        own = {F.TERMINAL_ID: "10000001", F.CURRENCY: self.currency, F.AMOUNT: f"{self.amount_fen:012d}"}
        header = Header(version=self.protocol)
        message = Message(KINDS[kind].mti, {**fields, **own, F.ENTRY_MODE: "051"} if fields else {}, header=header)
        request = Request(KINDS[kind], message, Control("25", self.batch), DeviceInfo(), b"")
        return Case(request, self.snapshot, self.mac, rules, KEYS, self.now, self.fenced)


@pytest.mark.feature("G1", "G2", "G3", "G4", "G5", "G6", "G7", "G9", "G10", "G13", "R1", "R14", "A4", "U2", "U9", "U10")
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


def test_a_till_is_refused_by_the_same_gate_whether_its_rows_are_kept_or_not() -> None:
    """A gate would not be asked at a till at which it has something to refuse."""
    world = World.all_wrong()
    for *_, repair in read_table(PRECEDENCE):
        world.keep()
        case = world.case()
        refused = refusal_at(case, Stage.IDENTITY) or refusal_at(case, Stage.PERMISSION)
        assert refused == first_refusal(case, GATES)
        assert refused is not None
        world.repair(repair)
    world.keep()
    assert refusal_at(world.case(), Stage.PERMISSION) is None


TOMORROW: Final = AT + 86_400
DATED: Final[dict[str, tuple[str, Change]]] = {
    "hold.activation": ("terminal", {"activate_by": TOMORROW}),
    "hold.documents": ("merchant", {"papers_until": TOMORROW}),
    "hold.retirement": ("snapshot", {"plan": Plan("S1", "old", AT, AT, AT * 2, suspend_at=TOMORROW)}),
    "hold.dispute": ("snapshot", {"holds": (Hold(3, "S1", "dispute", "", "admin", TOMORROW),)}),
    "model.retired": ("model", {"retired_at": TOMORROW}),
    "model.certificate": ("model", {"certificate_until": TOMORROW}),
    "firmware.too_old": ("model", {"recommended_firmware": "3.0.0", "required_at": TOMORROW}),
}


@pytest.mark.parametrize("reason", DATED)
def test_what_begins_on_a_day_is_refused_from_that_day_on_though_no_row_changes(reason: str) -> None:
    """A till that sold yesterday would sell on past the date that stops it."""
    world, (where, changes) = _good_world(), DATED[reason]
    if where == "snapshot":
        world.snapshot = replace(world.snapshot, **changes)  # type: ignore[arg-type]
    else:
        part = getattr(world.snapshot, where)
        world.snapshot = replace(world.snapshot, **{where: replace(part, **changes)})
    world.keep()
    registration = RULES.registration.model_copy(update={"stale_grace_s": 0})
    rules = RULES.model_copy(update={"registration": registration})
    assert refusal_at(world.case(rules=rules), Stage.PERMISSION) is None
    world.now = START + timedelta(days=2)
    refused = refusal_at(world.case(rules=rules), Stage.PERMISSION)
    assert refused is not None
    assert refused.reason == reason


def test_other_rules_are_asked_at_a_till_whose_rows_are_kept() -> None:
    """What was published between two sales would count for new connections only."""
    world = _good_world()
    world.keep()
    assert refusal_at(world.case(), Stage.PERMISSION) is None
    rules = RULES.model_copy(update={"models": Models(families_refused=("smart",))})
    refused = refusal_at(world.case(rules=rules), Stage.PERMISSION)
    assert refused is not None
    assert refused.reason == "model.family"


def test_a_till_with_nothing_against_it_is_asked_what_its_request_says_and_no_more() -> None:
    """Every sale would pay for a dozen questions whose answers are known."""
    world = _good_world()
    world.change(activated_at=AT)
    world.keep()
    till = world.snapshot.standing
    asked = [gate.name for gate in GATES if gate.is_asked_at(till, Policy())]
    assert asked == [
        "malformed", "bound elsewhere", "MAC", "superseded line", "books ahead", "wrong batch", "currency",
        "restored books", "capability", "firmware", "protocol version", "limits", "STAN used", "partner",
    ]  # fmt: skip


def _good_world() -> World:
    world = World.all_wrong()
    for *_, repair in read_table(PRECEDENCE):
        world.repair(repair)
    return world


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
    asked_all_the_same = {("books ahead", "settlement"), ("wrong batch", "settlement"), ("maintenance", "registration")}
    assert spared or (gate.name, kind) in asked_all_the_same or gate.name == "partner"


@pytest.mark.parametrize("kind", sorted(NEW_BUSINESS))
def test_new_business_is_spared_by_no_gate(kind: str) -> None:
    """A held terminal would go on selling."""
    assert [gate.name for gate in GATES if kind in gate.spares] == []


@pytest.mark.feature("POLICY")
@pytest.mark.parametrize("place", range(len(GATES)), ids=lambda place: GATES[place].name)
def test_a_gate_that_is_switched_off_lets_through_what_only_it_refuses(place: int) -> None:
    """A tester could not try what happens without a rule, or an identity check could be switched off."""
    gate, world = GATES[place], World.all_wrong()
    for name, *_, repair in read_table(PRECEDENCE):
        if name == gate.name and _who_refuses(world.case()) == gate.name:
            switched = gate.key or "stopped"
            rules = RULES.model_copy(update={"gates": RULES.gates.model_copy(update={switched: False})})
            refused = first_refusal(world.case(rules=rules), [gate])
            assert bool(refused) is not bool(gate.key)
            return
        world.repair(repair)
    raise AssertionError(f"no row provokes {gate.name}")


def test_every_permission_gate_but_the_books_own_has_its_switch() -> None:
    """A switch in a file would do nothing, or a gate have none."""
    assert {gate.key for gate in GATES if gate.key} == set(Gates.model_fields)
    unswitched = [gate.name for gate in GATES if gate.stage is Stage.PERMISSION and not gate.key]
    assert unswitched == ["books ahead", "restored books", "STAN used"]


def test_gates_name_only_kinds_that_exist() -> None:
    """A misspelt kind in a row would silently be refused or let through."""
    assert all(gate.spares <= ALL_KINDS for gate in GATES)
    assert len({gate.name for gate in GATES}) == len(GATES)


@pytest.mark.feature("A7")
@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("kind", sorted(ALL_KINDS))
def test_a_state_lets_through_what_it_permits(state: State, kind: str) -> None:
    """A lost terminal would sell, or a stopped one could not be settled."""
    world = World.all_wrong()
    for *_, repair in read_table(PRECEDENCE):
        if repair != "the turnover":
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
