"""Answers to the two devices of a swap: how it stands, the old one's backup, the new one's claim, the wipe certificate.

Rules owned here: TABLE REPORTS, who may report what; a query is answered to everybody and shows no secret, so a claim
and a certificate carry their own proof; a backup comes chunk by chunk in order, counts once its digest and its seal are
right, and is sealed anew for the successor alone; the till changes hands with the claim, in one commit, and only while
nothing is unsettled (invariant W1); the order to wipe is signed once the new device has everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from host.case import Case
from host.decision import Decision, Update, Write
from host.handlers.commands import enqueue
from host.records import Swap, Terminal
from host.refusals import Refused
from host.replacement import take_over, undrained, unfit
from host.swap import CHINESE_STATES, TRANSITIONS, Step, is_done, move
from protocol.command import read_body
from protocol.crypto.derived import Purpose
from protocol.errors import DecodeError, KeyLoadError, SignatureError
from protocol.fields import F
from protocol.image import SHA256
from protocol.private import number_tag, pack_tags, text_tag, unpack_tags
from protocol.swap import (
    BACKUP_BYTES_MAX,
    CHUNK_BYTES,
    Report,
    Role,
    SwapState,
    backup_context,
    claim_statement,
    unpack_backup,
)
from protocol.wipe import WipeOrder, open_certificate, sign_order

Tags = Mapping[str, bytes]
Handled = Callable[[Case, Swap, Tags], Decision]
ORDERED: Final = "swap.ordered"
"""The reason of the notice by which an old device hears of its swap."""
_TOLD_ON: Final = frozenset({"notice", "announcement"})


def query(case: Case) -> Decision:
    """How the swap stands; with tag CL a claim to the till, with CE a certificate. Raises DecodeError."""
    swap, tags = case.snapshot.swap, _tags(case)
    if swap is None:
        return _refuse("swap.not_ordered")
    if "CL" in tags:
        return _claim(case, swap, tags)
    if "CE" in tags:
        return _certificate(case, swap, tags)
    return _standing(case, swap)


def report(case: Case) -> Decision:
    """What a device did (tag OP), or a piece of the backup on its way. Raises DecodeError."""
    swap, tags = case.snapshot.swap, _tags(case)
    if swap is None:
        return _refuse("swap.not_ordered")
    said = text_tag(tags, "OP")
    if said not in REPORTS:
        raise DecodeError("tag OP is no report", field=F.PAYLOAD, code="tags")
    row = REPORTS[Report(said)]
    if swap.role(case.terminal.serial_number) is not row.role:
        return _refuse("swap.other_device")
    return row.handle(case, swap, tags)


# the old device


def _drain(case: Case, swap: Swap, tags: Tags) -> Decision:
    return _step(case, swap, Step.DRAIN)


def _settled(case: Case, swap: Swap, tags: Tags) -> Decision:
    if undrained(case.terminal, case.snapshot.batch, case.snapshot.rows):
        return _refuse("swap.batch_open")
    return _step(case, swap, Step.SETTLE)


def _backup(case: Case, swap: Swap, tags: Tags) -> Decision:
    """The next chunk, or the first one of another backup; the last one lets the whole be opened."""
    if is_done(swap.state, Step.BACK_UP):
        return _standing(case, swap)
    if Step.BACK_UP not in TRANSITIONS[swap.state]:
        return _other_step(swap)
    offset, size = number_tag(tags, "OF"), number_tag(tags, "SZ")
    sha256, data = text_tag(tags, "SH"), tags.get("DA", b"")
    if not SHA256.admits(sha256) or not 0 < len(data) <= CHUNK_BYTES or offset + len(data) > size:
        raise DecodeError("this is no chunk of a backup", field=F.PAYLOAD, code="tags")
    if size > BACKUP_BYTES_MAX:
        return _refuse("swap.too_large")
    so_far = swap.backup if (sha256, size) == (swap.sha256, swap.size) else b""
    if offset != len(so_far):
        return _refuse("swap.chunk_order", due=str(len(so_far)))
    come = replace(swap, sha256=sha256, size=size, backup=so_far + data)
    return _whole(case, come) if len(come.backup) == size else _keep(case, come)


def _whole(case: Case, swap: Swap) -> Decision:
    """The backup under the host's own key; one that is no good is forgotten, and may come again."""
    begun_anew = _kept(replace(swap, backup=b""))
    if hashlib.sha256(swap.backup).hexdigest() != swap.sha256:
        return _refuse("swap.digest", begun_anew)
    try:
        context = backup_context(swap.serial_number, swap.number)
        content = case.keys.open_backup(case.terminal, swap.backup, context)
        unpack_backup(content)
    except KeyLoadError:
        return _refuse("swap.backup_foreign", begun_anew)
    except DecodeError:
        return _refuse("swap.backup_unreadable", begun_anew)
    kept = case.keys.keep_backup(swap.number, content)
    return _step(case, swap, Step.BACK_UP, backup=kept, sha256=swap.sha256, size=swap.size)


def _keep(case: Case, swap: Swap) -> Decision:
    return replace(_standing(case, swap), writes=(_kept(swap),))


def _kept(swap: Swap) -> Update:
    return Update("swaps", {"number": swap.number}, {"sha256": swap.sha256, "size": swap.size, "backup": swap.backup})


def _certificate(case: Case, swap: Swap, tags: Tags) -> Decision:
    """The proof is made by the master key that the device no longer has; it is kept word for word."""
    device = case.terminal
    if swap.role(device.serial_number) is not Role.OLD:
        return _refuse("swap.other_device")
    try:
        stated = open_certificate(
            tags["CE"], lambda statement, proof: case.keys.is_proof(device, Purpose.CERTIFICATE, statement, proof)
        )
    except SignatureError:
        return _refuse("swap.certificate")
    expected = (swap.serial_number, swap.successor, swap.number, swap.sha256)
    if (stated.serial_number, stated.successor, stated.swap, stated.sha256) != expected:
        return _refuse("swap.certificate")
    return _step(case, swap, Step.WIPE, certificate=tags["CE"], backup=b"")


# the new device


def _claim(case: Case, swap: Swap, tags: Tags) -> Decision:
    """The till changes hands; a claim that was answered is answered again."""
    new, old = case.terminal, case.snapshot.peer
    if swap.role(new.serial_number) is not Role.NEW or old is None:
        return _refuse("swap.other_device")
    statement = claim_statement(new.serial_number, old.serial_number, swap.number)
    if not case.keys.is_proof(new, Purpose.CLAIM, statement, tags["CL"]):
        return _refuse("swap.claim")
    if is_done(swap.state, Step.BIND):
        return _standing(case, swap)
    if Step.BIND not in TRANSITIONS[swap.state]:
        return _other_step(swap)
    message = case.request.message
    if (message.text(F.MERCHANT_ID), message.text(F.TERMINAL_ID)) != (old.merchant_id, old.terminal_id):
        return _refuse("swap.other_merchant")
    if undrained(old, case.snapshot.batch, case.snapshot.rows):
        return _refuse("swap.batch_open")
    if unfit(old, new, case.snapshot.model):
        return _refuse("swap.successor_unfit")
    handed = take_over(old, new, case.snapshot.peer_holds, actor=new.serial_number, at=case.at)
    return _step(case, swap, Step.BIND, *handed, *_notices(case, new))


def _notices(case: Case, new: Terminal) -> list[Write]:
    """What the old device was to be told and never fetched is told to the new one, but for what is about the swap."""
    key = case.keys.signing_key(case.snapshot.signing_key)
    writes: list[Write] = []
    for command in case.snapshot.peer_commands:
        body = read_body(command.document)
        if command.kind in _TOLD_ON and body.get("reason") != ORDERED:
            writes += enqueue(new, command.kind, body, signing_key=key, at=case.at, ttl_s=case.policy.commands.ttl_s)
            new = replace(new, command_counter=new.command_counter + 1)
    return writes


def _fetch(case: Case, swap: Swap, tags: Tags) -> Decision:
    """A chunk of the backup as only this device can open it."""
    if swap.state is not SwapState.BOUND:
        return _refuse("swap.restored_already")
    context = backup_context(swap.successor, swap.number)
    sealed, offset = case.keys.seal_backup(case.terminal, _content(case, swap), context), number_tag(tags, "OF")
    told = [
        ("OF", str(offset).encode()),
        ("SZ", str(len(sealed)).encode()),
        ("SH", hashlib.sha256(sealed).hexdigest().encode()),
        ("DA", sealed[offset : offset + CHUNK_BYTES]),
    ]
    return Decision(fields={F.PAYLOAD: pack_tags(told)}, remember=False)


def _restored(case: Case, swap: Swap, tags: Tags) -> Decision:
    """The digest is of what was sealed, for the device may have another master key by now."""
    if swap.state is SwapState.BOUND and text_tag(tags, "SH") != hashlib.sha256(_content(case, swap)).hexdigest():
        return _refuse("swap.digest")
    return _step(case, swap, Step.RESTORE, backup=b"")


def _content(case: Case, swap: Swap) -> bytes:
    return case.keys.kept_backup(swap.number, swap.backup)


# both


class _Row(NamedTuple):
    """A row of REPORTS."""

    role: Role
    handle: Handled


REPORTS: Final[Mapping[Report, _Row]] = MappingProxyType(
    {
        Report.DRAIN: _Row(Role.OLD, _drain),
        Report.SETTLED: _Row(Role.OLD, _settled),
        Report.BACKUP: _Row(Role.OLD, _backup),
        Report.FETCH: _Row(Role.NEW, _fetch),
        Report.RESTORED: _Row(Role.NEW, _restored),
    }
)


def _step(case: Case, swap: Swap, event: Step, *writes: Write, **changes: object) -> Decision:
    """Take a step, with what else it writes; a step that was taken before changes nothing."""
    if is_done(swap.state, event):
        return _standing(case, swap)
    moved = move(swap, event, actor=case.terminal.serial_number, at=case.at, **changes)
    if not moved:
        return _other_step(swap)
    come = replace(swap, state=TRANSITIONS[swap.state][event])
    return replace(_standing(case, come), writes=(*writes, *moved))


def _standing(case: Case, swap: Swap) -> Decision:
    """Field 62: number, state, role, the other device, how much of which backup came, and the order to wipe."""
    role = swap.role(case.terminal.serial_number)
    received = swap.size if is_done(swap.state, Step.BACK_UP) else len(swap.backup)
    tags = [
        ("SW", str(swap.number).encode()),
        ("ST", swap.state.encode("ascii")),
        ("RO", role.encode("ascii")),
        ("PE", (swap.successor if role is Role.OLD else swap.serial_number).encode()),
        ("RC", str(received).encode()),
        ("SH", swap.sha256.encode()),
    ]
    if role is Role.OLD and is_done(swap.state, Step.RESTORE):
        tags.append(("WO", _order(case, swap)))
    return Decision(fields={F.PAYLOAD: pack_tags(tags)}, remember=False)


def _order(case: Case, swap: Swap) -> bytes:
    order = WipeOrder(swap.serial_number, swap.successor, swap.number, swap.sha256, case.at)
    return sign_order(order, case.keys.signing_key(case.snapshot.signing_key))


def _other_step(swap: Swap) -> Decision:
    return _refuse("swap.other_step", state=swap.state, state_zh=CHINESE_STATES[swap.state])


def _refuse(reason: str, *writes: Write, **words: str) -> Decision:
    return Decision(Refused(reason, words), writes=writes, remember=False)


def _tags(case: Case) -> Tags:
    payload = case.request.message.octets(F.PAYLOAD)
    return unpack_tags(payload, field=F.PAYLOAD) if payload else {}
