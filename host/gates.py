"""TABLE GATES: who is refused, in order of precedence; the first hit wins.

A gate is a row: a name, when it is asked, which kinds it spares, and a test that gives a refusal or None. Identity
gates come before a repeated request finds its stored reply, permission gates after it: what was answered once is
answered so again, whatever happened to the terminal since (but for what wanted a sign-on first, ``Case.stored``). For
the same reason the batch is compared after the MAC.

A gate that can refuse nothing at a till, as its rows stand, is not asked there: most of them, most of the time. Which
those are is worked out once for a till, its rules and a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from host import model_rules
from host.activation import missing
from host.books_ahead import IN_OPEN_BATCH, books_ahead
from host.case import Case, Standing
from host.downloads import overdue
from host.holds import none_can_stand
from host.keys import MacCheck
from host.lifecycle import (
    ABSENT,
    ALL_KINDS,
    CHINESE_STATES,
    DRAIN,
    FINISHING,
    HEARD_BARE,
    NEW_BUSINESS,
    PERMITS,
    REGISTERING,
    REVERSALS,
    UNREGISTERED,
    State,
)
from host.limits import over_limit
from host.maintenance import clock, open_window
from host.partners import PARTNER_OF, partner_refusal
from host.policy import Gates as Switches
from host.policy import Policy
from host.records import Terminal, TransactionState
from host.refusals import Refused
from host.risk import risk_refusal
from host.wellformed import wrong_content
from protocol.downloads import DOWNLOAD_OF
from protocol.fields import FIELDS, F
from protocol.kinds import Identity, missing_fields
from protocol.money import yuan


class Stage(Enum):
    """When a gate is asked."""

    IDENTITY = "before a repeated request is recognised"
    PERMISSION = "after it"


def _anything(policy: Policy) -> object:
    return policy


def _never(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Gate:
    """A row of GATES. It is asked where the rules give it something to ask: ``about`` is that part of the policy.

    ``moot`` says of a till that its ``test`` can refuse no request there, whatever comes and whenever.
    """

    name: str
    stage: Stage
    spares: frozenset[str]
    test: Callable[[Case], Refused | None]
    about: Callable[[Policy], object] = _anything
    moot: Callable[[Policy, Standing, Terminal], object] = _never

    @property
    def key(self) -> str:
        """By which the policy switches it; identity gates and those that the books rest on have none."""
        key = self.name.replace(" ", "_")
        return key if self.stage is Stage.PERMISSION and key in Switches.model_fields else ""

    def is_asked(self, policy: Policy) -> bool:
        """Is it switched on, and has it something to ask?"""
        return (not self.key or getattr(policy.gates, self.key) is True) and bool(self.about(policy))

    def is_asked_at(self, till: Standing | None, policy: Policy) -> bool:
        """The same, and may it refuse anything at this till?"""
        terminal = till.terminal if till else None
        return self.is_asked(policy) and not (till and terminal and self.moot(policy, till, terminal))


def _malformed(case: Case) -> Refused | None:
    kind, message = case.request.kind, case.request.message
    if not all(map(message.fields.get, kind.request.in_order)):
        missing = missing_fields(Identity(kind, is_request=True), message)
        names = ", ".join(f"field {number} ({FIELDS[number].name})" for number in missing)
        return Refused("message.malformed", {"what": f"{names} missing"})
    return wrong_content(kind, message)


def _unknown(case: Case) -> Refused | None:
    known = case.snapshot.terminal or case.snapshot.tenant
    return None if known else Refused("terminal.unknown")


def _unregistered(case: Case) -> Refused | None:
    terminal = case.snapshot.terminal
    if terminal is None or terminal.state not in UNREGISTERED or case.request.kind.name in PERMITS[terminal.state]:
        return None
    return Refused("terminal.not_registered", {"state": terminal.state, "state_zh": CHINESE_STATES[terminal.state]})


def _merchant(case: Case) -> Refused | None:
    merchant = case.snapshot.merchant
    if merchant is None:
        return Refused("merchant.unknown")
    return None if merchant.active else Refused("merchant.inactive")


def _bound_elsewhere(case: Case) -> Refused | None:
    terminal, request = case.snapshot.terminal, case.request
    if terminal is None:
        return Refused("terminal.other_device")
    if request.kind.name in _MUST_NAME_DEVICE and terminal.bound and not request.serial_number:
        return Refused("terminal.other_device")
    if request.kind.name in _FOR_ANY_TILL:
        return None
    if terminal.terminal_id != request.terminal_id:
        return Refused("terminal.other_device")
    if case.snapshot.tenant and terminal.state not in ABSENT:
        return Refused("terminal.other_device")
    if case.snapshot.merchant and terminal.merchant_id != case.snapshot.merchant.merchant_id:
        return Refused("terminal.other_merchant")
    return None


def _absent(case: Case) -> Refused | None:
    terminal = case.terminal
    if terminal.state not in ABSENT or case.request.kind.name in PERMITS[terminal.state] or case.is_repeated:
        return None
    return Refused(f"terminal.{terminal.state}", {"successor": terminal.replaced_by})


def _not_signed_on(case: Case) -> Refused | None:
    terminal = case.terminal
    spared = terminal.signed_on or case.request.kind.name in FINISHING or case.is_repeated
    if terminal.working_keys and spared:
        return None
    return Refused("terminal.not_signed_on")


def _wrong_mac(case: Case) -> Refused | None:
    """Kinds that the dialect leaves without a MAC may lack it, but not from a device that is known to add one."""
    may_lack = not case.terminal.extended or case.request.kind.name in HEARD_BARE
    bare = case.request.kind.may_mac and case.mac is MacCheck.ABSENT and may_lack
    return None if case.mac.good or bare else Refused("message.mac")


def _superseded(case: Case) -> Refused | None:
    """Nothing is decided: the terminal takes it for doubt and reverses, so that nobody can send it again later."""
    return Refused("terminal.superseded") if case.fenced else None


def _wrong_batch(case: Case) -> Refused | None:
    """What settles a batch that is settled is left to its handler: its terminal may not have heard that it is."""
    batch = case.terminal.batch
    is_open = case.request.control.batch == batch
    is_asked_again = case.request.kind.name == "settlement" and case.is_settled
    return None if is_open or is_asked_again else Refused("terminal.wrong_batch", {"batch": batch})


def _currency(case: Case) -> Refused | None:
    return None if case.request.message.text(F.CURRENCY) == RENMINBI else Refused("currency.unsupported")


def _stopped(case: Case) -> Refused | None:
    terminal = case.terminal
    permitted = terminal.state is not State.STOPPED or case.request.kind.name in PERMITS[State.STOPPED]
    return None if permitted else Refused("terminal.stopped", {"why": terminal.why})


def _maintenance(case: Case) -> Refused | None:
    """Product U2; forms handed in meanwhile wait for their review, where the policy says so (R8)."""
    if case.request.kind.name in _FORMS and case.policy.registration.in_maintenance == "queue":
        return None
    merchant = case.snapshot.merchant
    found = open_window(case.policy, case.at, case.terminal.model, merchant.region if merchant else "")
    return Refused("host.maintenance", {"what": found[0].name, "until": clock(found[1])}) if found else None


def _held(case: Case) -> Refused | None:
    full = [hold for hold in case.holds if not hold.kinds]
    return Refused(f"hold.{full[0].reason}") if full else None


def _partly_held(case: Case) -> Refused | None:
    """Product U9."""
    name = case.request.kind.name
    return next((Refused(f"partial.{hold.reason}") for hold in case.holds if name in hold.kinds.split()), None)


def _restored(case: Case) -> Refused | None:
    """A host on an old copy of its books does not know what it has forgotten (invariants J4, S2)."""
    return Refused("host.reconcile") if case.snapshot.is_restored else None


def _parameters(case: Case) -> Refused | None:
    """Product G7: what is published is to be fetched first, where the policy says so; the header asks for it."""
    rows = overdue(case.terminal.due) if case.terminal.due else []
    if not rows:
        return None
    words = {"what": ", ".join(row.english for row in rows), "what_zh": "、".join(row.chinese for row in rows)}
    return Refused("terminal.parameters_old", words)


def _not_activated(case: Case) -> Refused | None:
    if case.terminal.activated_at is not None or case.request.kind.name in PERMITS[State.REGISTERED]:
        return None
    figures = case.policy.activation
    if case.snapshot.turnover_fen >= figures.turnover_fen and (wanted := missing(case.snapshot.merchant, figures)):
        what = {"what_zh": "、".join(zh for zh, _ in wanted), "what": ", ".join(en for _, en in wanted)}
        return Refused("terminal.not_ready", what)
    words = {"turnover": yuan(case.snapshot.turnover_fen), "required": yuan(figures.turnover_fen)}
    return Refused("terminal.not_activated", words)


def _used(case: Case) -> Refused | None:
    existing = case.snapshot.existing
    if existing is None:
        return None
    return Refused("transaction.reversed" if existing.state is TransactionState.TOMBSTONE else "request.key_reused")


# when a gate is moot at a till


def _is_known(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return True


def _is_registered(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return terminal.state not in UNREGISTERED


def _has_merchant(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return till.merchant is not None and till.merchant.active


def _is_there(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return terminal.state not in ABSENT


def _is_signed_on(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return terminal.signed_on and bool(terminal.working_keys)


def _goes_on(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return terminal.state is not State.STOPPED


def _is_never_held(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return none_can_stand(till.holds, terminal, till.merchant, policy, till.plan)


def _stays_in_catalogue(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return till.model is not None and till.model.retired_at is None


def _is_any_firmware(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    model = till.model
    return model is None or not (model.min_firmware or model.recommended_firmware or model.blocked_firmware)


def _is_activated(policy: Policy, till: Standing, terminal: Terminal) -> bool:
    return terminal.activated_at is not None


_FORMS: Final = frozenset({"registration"})
_MUST_NAME_DEVICE: Final = REGISTERING | {"sign_in"}
_FOR_ANY_TILL: Final = frozenset({"swap_query"})
"""Kinds by which a device asks about a till that is not its own yet, or not any more."""
_NONE: Final[frozenset[str]] = frozenset()
_WHY: Final = frozenset({"why"})
RENMINBI: Final = "156"
_NEED_SIGN_ON: Final = NEW_BUSINESS | REVERSALS | {"settlement", "batch_upload", "batch_end", "sign_off"} | {
    "command_fetch", "command_ack", "firmware_query", "firmware_chunk", "firmware_report", "script_result",
    "signature_upload", "cashier_sign_in", "pause", "swap_report",
} | DOWNLOAD_OF.keys()  # fmt: skip
_I, _P = Stage.IDENTITY, Stage.PERMISSION

GATES: Final = (
    Gate("malformed", _I, _NONE, _malformed),
    Gate("unknown terminal", _I, _WHY, _unknown, moot=_is_known),
    Gate("not registered", _I, _WHY, _unregistered, moot=_is_registered),
    Gate("merchant", _I, _WHY | REGISTERING, _merchant, moot=_has_merchant),
    Gate("bound elsewhere", _I, _WHY, _bound_elsewhere),
    Gate("replaced, retired, lost or tampered", _I, _WHY, _absent, moot=_is_there),
    Gate("not signed on", _I, ALL_KINDS - _NEED_SIGN_ON, _not_signed_on, moot=_is_signed_on),
    Gate("MAC", _I, ALL_KINDS - _NEED_SIGN_ON - HEARD_BARE, _wrong_mac),
    Gate("superseded line", _I, _NONE, _superseded),
    Gate("books ahead", _P, ALL_KINDS - IN_OPEN_BATCH, books_ahead),
    Gate("wrong batch", _P, ALL_KINDS - IN_OPEN_BATCH, _wrong_batch),
    Gate("currency", _P, ALL_KINDS - NEW_BUSINESS, _currency),
    Gate("restored books", _P, ALL_KINDS - NEW_BUSINESS, _restored),
    Gate("stopped", _P, _WHY, _stopped, moot=_goes_on),
    Gate("maintenance", _P, DRAIN - _FORMS, _maintenance, lambda rules: rules.maintenance),
    Gate("held", _P, DRAIN, _held, moot=_is_never_held),
    Gate("partly held", _P, DRAIN, _partly_held, moot=_is_never_held),
    Gate("model", _P, DRAIN, model_rules.catalogue, moot=_stays_in_catalogue),
    Gate("certificate", _P, DRAIN, model_rules.certificate),
    Gate("security level", _P, DRAIN, model_rules.security_level, lambda rules: rules.models.security_level),
    Gate("capability", _P, DRAIN, model_rules.capability),
    Gate("family", _P, DRAIN, model_rules.family, lambda rules: rules.models.families_refused),
    Gate("region", _P, DRAIN, model_rules.region, lambda rules: rules.mandates),
    Gate("firmware", _P, DRAIN, model_rules.firmware, moot=_is_any_firmware),
    Gate("compatibility", _P, DRAIN, model_rules.compatibility, lambda rules: rules.compatibility),
    Gate("protocol version", _P, DRAIN, model_rules.protocol_version),
    Gate("parameters", _P, DRAIN, _parameters, lambda rules: rules.downloads.required),
    Gate("not activated", _P, _WHY, _not_activated, moot=_is_activated),
    Gate("limits", _P, DRAIN, over_limit),
    Gate("risk", _P, DRAIN, risk_refusal, lambda rules: rules.risk.rules),
    Gate("STAN used", _P, ALL_KINDS - NEW_BUSINESS, _used),
    Gate("partner", _P, ALL_KINDS - PARTNER_OF.keys(), partner_refusal),
)


def first_refusal(case: Case, gates: Iterable[Gate]) -> Refused | None:
    """The refusal of the first gate that does not let the case through; those that are switched off are not asked."""
    name, policy = case.request.kind.name, case.policy
    for gate in gates:
        if name not in gate.spares and gate.is_asked(policy) and (refused := gate.test(case)):
            return refused
    return None


def refusal_at(case: Case, stage: Stage) -> Refused | None:
    """The same for all gates of a stage, as every request asks it."""
    for gate in _asked(case)[stage is Stage.PERMISSION]:
        if refused := gate.test(case):
            return refused
    return None


_Stages = tuple[tuple[Gate, ...], tuple[Gate, ...]]
"""Those of IDENTITY and those of PERMISSION."""


class _Asked:
    """The gates that requests at a till must pass, by their kind: worked out once under the same rules."""

    def __init__(self, till: Standing | None) -> None:
        self._till = till
        self._policy: Policy | None = None
        self._known: dict[str, _Stages] = {}

    def of(self, name: str, policy: Policy) -> _Stages:
        """Those that do not spare the kind and are asked at the till under the policy."""
        if self._policy is not policy:
            self._policy, self._known = policy, {}
        asked = self._known.get(name)
        if asked is None:
            at_till = [gate for gate in GATES if name not in gate.spares and gate.is_asked_at(self._till, policy)]
            first, second = (tuple(gate for gate in at_till if gate.stage is stage) for stage in Stage)
            asked = self._known[name] = first, second
        return asked


_ANYWHERE: Final = _Asked(None)


def _asked(case: Case) -> _Stages:
    """The gates that a request must pass, stage by stage."""
    till = case.snapshot.standing
    asked = _ANYWHERE
    if till is not None:
        asked = till.worked_out.get("gates") or till.worked_out.setdefault("gates", _Asked(till))
    return asked.of(case.request.kind.name, case.policy)
