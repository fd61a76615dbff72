"""Answers to the why query (product decision 12) and to the fetching of signed commands (decision 10)."""

from __future__ import annotations

import json
import re

from host.case import Case
from host.decision import Decision, Insert, Update, Write
from host.gates import GATES, first_refusal
from host.handlers.firmware import COMMANDED
from host.notices import day
from host.records import FirmwareRelease, Progress, Terminal, columns
from host.refusals import REFUSALS, Refused
from host.rollout import is_below, needed, offered
from protocol.command import NONCE_BYTES, RemoteCommand, prove_answer, sign_command
from protocol.diagnosis import read_diagnosis
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.private import TEXT_CHARSET, pack_tags, text_tag, unpack_tags

ASKED_KIND = "sale"
READ = "read"
_WHY_TAGS = {
    "reason": "RC",
    "code": "CD",
    "zh": "ZH",
    "en": "EN",
    "remedy_zh": "RZ",
    "remedy_en": "RE",
    "contact_zh": "CZ",
    "contact_en": "CE",
}
_SPARED_BY_WHY = frozenset({"malformed", "not signed on", "MAC", "wrong batch", "currency"})


def why(case: Case) -> Decision:
    """What a kind of request (tag AK, else a sale) would be told now, in full; empty where it would be let through.

    Tag RC names the reason that the terminal was told. Where that was its last refusal, this is it again, with its
    words; else a reason that no gate gives now, such as the issuer's, is explained as its row of REFUSALS stands.
    Tag PL names the plan that is to stop the terminal, or did: its campaign, reason and date (product T10).
    """
    payload = case.request.message.octets(F.PAYLOAD)
    asked = unpack_tags(payload, field=F.PAYLOAD) if payload else {}
    kind, told = text_tag(asked, "AK"), text_tag(asked, "RC")
    gates = [gate for gate in GATES if gate.name not in _SPARED_BY_WHY]
    refused = first_refusal(case.asked_as(kind if kind in KINDS else ASKED_KIND), gates)
    if told in REFUSALS and (refused is None or refused.reason != told):
        last = case.snapshot.last_refusal
        refused = last if last and last.reason == told else Refused(told)
    texts = refused.texts() if refused else {}
    tags = [(tag, texts[name].encode(TEXT_CHARSET)) for name, tag in _WHY_TAGS.items() if texts.get(name)]
    if plan := case.snapshot.plan:
        told = f"{plan.campaign} {plan.reason} {day(plan.stop_at)}"
        tags.append(("PL", told.encode(TEXT_CHARSET)))
    return Decision(fields={F.PAYLOAD: pack_tags(tags)} if tags else {}, remember=False)


def fetch(case: Case) -> Decision:
    """The oldest command that waits, as it was signed, and in tag AP the proof that it answers this very fetch.

    Tag NC of the request is the nonce that the proof states; who tells none gets none, and its terminal believes none.
    Raises DecodeError for a nonce of another form.
    """
    nonce = _nonce(case.request.message.octets(F.PAYLOAD))
    if not case.snapshot.commands:
        return Decision(remember=False)
    command = case.snapshot.commands[0]
    key = {"serial_number": command.serial_number, "counter": command.counter}
    tags = [("CM", command.document)]
    if nonce:
        signing_key = case.keys.signing_key(case.snapshot.signing_key)
        tags.append(("AP", prove_answer(command.document, nonce, signing_key)))
    return Decision(
        fields={F.PAYLOAD: pack_tags(tags)},
        writes=(Update("commands", key, {"state": "delivered"}),),
        remember=False,
    )


def _nonce(payload: bytes) -> bytes:
    nonce = unpack_tags(payload, field=F.PAYLOAD).get("NC", b"") if payload else b""
    if len(nonce) not in (0, NONCE_BYTES):
        raise DecodeError(f"tag NC has {len(nonce)} bytes, a nonce {NONCE_BYTES}", field=F.PAYLOAD, code="tags")
    return nonce


def acknowledge(case: Case) -> Decision:
    """What the device did with a command, and what it told of itself where it was asked to.

    A refused command does not come again. Result "read" is about a notice that was carried out before: tag RT says when
    somebody read it. Raises DecodeError for no counter, no such instant, or no diagnosis.
    """
    tags = unpack_tags(case.request.message.octets(F.PAYLOAD), field=F.PAYLOAD)
    counter = text_tag(tags, "CN")
    if not re.fullmatch(r"[0-9]{1,10}", counter):
        raise DecodeError("tag CN is not a counter", field=F.PAYLOAD, code="tags")
    serial_number = case.terminal.serial_number
    key = {"serial_number": serial_number, "counter": int(counter)}
    result = text_tag(tags, "RS")[:40]
    if result == READ:
        return Decision(writes=(Update("commands", key, {"read_at": _instant(text_tag(tags, "RT"))}),), remember=False)
    writes: list[Write] = [Update("commands", key, {"state": "acknowledged", "result": result})]
    if diagnosis := read_diagnosis(tags):
        row = {"serial_number": serial_number, "sections": json.dumps(diagnosis), "at": case.at}
        writes.append(Insert("diagnoses", row, replace=True))
    return Decision(writes=tuple(writes), remember=False)


def _instant(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise DecodeError("tag RT is not an instant", field=F.PAYLOAD, code="tags")
    return int(text)


def enqueue(
    terminal: Terminal, kind: str, body: dict[str, str], *, signing_key: bytes, at: int, ttl_s: int
) -> list[Write]:
    """Sign a command for one device under its next counter and leave it to be fetched. Raises EncodeError."""
    counter = terminal.command_counter + 1
    command = RemoteCommand(kind, terminal.serial_number, counter, at, at + ttl_s, body)
    row = {
        "serial_number": terminal.serial_number,
        "counter": counter,
        "kind": kind,
        "document": sign_command(command, signing_key),
        "state": "waiting",
        "created_at": at,
        "expires_at": command.expires_at,
        "result": "",
    }
    key = {"serial_number": terminal.serial_number}
    return [Insert("commands", row), Update("terminals", key, {"command_counter": counter})]


def enqueue_update(case: Case, *, is_refused: bool) -> list[Write]:
    """Command the update that a refused firmware needs, or that is offered, once, where such an image is published.

    What a report tells of the last one stands first; the next request shows whether there is another to command.
    """
    if case.request.kind.name == "firmware_report":
        return []
    release, model, progress = case.snapshot.release, case.snapshot.model, case.snapshot.progress
    if release is None or model is None or not case.is_extended or not case.mac.good:
        return []
    figures, running = case.policy.firmware, case.firmware
    if not is_refused and not offered(model, progress, figures, running, case.at):
        return []
    if release.version == running or is_below(release.version, needed(model, progress, figures, case.at)):
        return []
    if any(command.kind == "update_firmware" for command in case.snapshot.commands):
        return []
    failures = progress.failures if progress and progress.version == release.version else 0
    row = Progress(case.terminal.serial_number, release.version, COMMANDED, failures, case.at)
    command = enqueue(
        case.terminal,
        "update_firmware",
        update_body(release),
        signing_key=case.keys.signing_key(case.snapshot.signing_key),
        at=case.at,
        ttl_s=case.policy.commands.ttl_s,
    )
    return [Insert("updates", columns(row), replace=True), *command]


def update_body(release: FirmwareRelease) -> dict[str, str]:
    """The body of an update command."""
    return {"version": release.version, "size": str(release.size), "sha256": release.sha256}
