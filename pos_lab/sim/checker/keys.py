"""Invariants C and K: who may change what, and where keys are.

A command is authentic by the host's signature, everything else by a MAC under the keys of one sign-on of one device.
The protocol has no KSN: what must never repeat are the nonces under which a device seals, and the keys of sign-ons; a
STAN under a MAC key is J2's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pos_lab.sim.checker.device import Rekeyed
from pos_lab.sim.checker.evidence import Answered, Entered, Evidence, Moved, Quiet, Replied, Sent
from pos_lab.sim.checker.invariant import LATE_REVERSALS, Invariant, name_of, original_of, spelt
from pos_lab.sim.checker.ledger import Change
from pos_lab.sim.checker.talk import ACKNOWLEDGE, Command, Talk, network_of, proves, tags_of
from pos_lab.sim.checker.wire import APPROVALS, FINANCIAL, Fact
from protocol.crypto.key import PinKey
from protocol.crypto.pinblock import PIN_FORMATS
from protocol.errors import ProtocolError
from protocol.fields import F

PROTECTED: Final = FINANCIAL | {"0400"}
BAD_MAC: Final = "A0"
WRONG_MACS_MAX: Final = 5
"""After so many in a row the host ends the line (policy of its guard)."""
ALARM: Final = "alarm"
ANSWERS: Final = ("0110", "0210", "0230")
_PIN_FORMAT: Final = {"sm4": PIN_FORMATS["sm4"], "3des": PIN_FORMATS["x98"], "des": PIN_FORMATS["x98"]}


def _signed_by_host(evidence: Evidence, event: Entered) -> Iterator[str]:
    talk = evidence.talk(event.terminal_id)
    if talk is None or event.record["record"] != "command":
        return
    command = _as_it_came(talk, event.record["command"])
    if command is None or not command.is_signed:
        counter = event.record["command"]["counter"]
        yield f"{talk.device.serial_number} takes command {counter}, and no host signed such a one"


def _as_it_came(talk: Talk, taken: Mapping[str, Any]) -> Command | None:
    """The last command of these words that reached a device, one that the host signed if there was any, and signed for
    it if there was any; None where none did. A copy may have changed on the way, or be another device's.
    """
    names, serial_number = ("counter", "kind", "body"), talk.device.serial_number
    same = [each for each in talk.commands if all(each.stated.get(name) == taken[name] for name in names)]
    same.sort(key=lambda each: (each.is_signed, each.stated.get("serial_number") == serial_number))
    return same[-1] if same else None


def _asked_by_device(evidence: Evidence, event: Change) -> Iterator[str]:
    row = event.after
    if event.table != "transactions" or event.before or row["state"] != "captured":
        return
    name = name_of(row)
    asked = _undoing(evidence, row) if row["kind"] in LATE_REVERSALS else evidence.asked.get(name)
    if asked is None:
        yield f"{spelt(name)} is captured, and no device asked for it"
    elif asked.amount_fen != row["amount_fen"]:
        yield f"{spelt(name)} is captured with {row['amount_fen']} fen, and its device asked for {asked.amount_fen}"


def _undoing(evidence: Evidence, row: Mapping[str, Any]) -> Fact | None:
    """The reversal behind an adjustment of the host's own: of what it takes back, or of what had undone that."""
    name = original_of(row)
    undone = [name] if row["kind"] == "late_reversal" else evidence.about.get(name, ())
    return next((fact for each in undone for fact in evidence.reversals.get(each, ())), None)


def _approved_under_mac(evidence: Evidence, event: Moved) -> Iterator[str]:
    step, talk = event.step, evidence.talk(event.terminal_id)
    if talk is None or step.after != "captured" or step.before == "captured":
        return
    name = (event.terminal_id, *step.key)
    if not any((name, mti, code) in talk.authentic for mti in ANSWERS for code in APPROVALS):
        yield f"{spelt(name)} counts as approved, and no approval of it had a good MAC"


def _fresh(evidence: Evidence, event: Entered) -> Iterator[str]:
    talk = evidence.talk(event.terminal_id)
    if talk is None or event.record["record"] != "command":
        return
    counter = event.record["command"]["counter"]
    if counter <= talk.counter:
        yield f"{talk.device.serial_number} takes command {counter} after command {talk.counter}"
    talk.counter = max(talk.counter, counter)


def _written_before(evidence: Evidence, event: Sent) -> Iterator[str]:
    """A command's counter is durable before the host hears that it was carried out."""
    talk = evidence.talk(event.terminal_id)
    if talk is None or event.fact.mti != "0800" or network_of(event.fact) != ACKNOWLEDGE:
        return
    counter = tags_of(event.fact).get("CN", b"").decode("ascii", "replace")
    if counter.isdigit() and int(counter) not in evidence.tills[event.terminal_id].taken:
        yield f"{talk.device.serial_number} acknowledges command {counter}, which its journal does not have"


def _meant_for_it(evidence: Evidence, event: Entered) -> Iterator[str]:
    """Expired is what had by the latest time that the host told the device: nobody else tells it, and an answer may be
    on its way while an administrator moves the host's clock on. A day is what its own clock may be wrong by.
    """
    talk = evidence.talk(event.terminal_id)
    if talk is None or event.record["record"] != "command":
        return
    command = _as_it_came(talk, event.record["command"])
    if command is None:
        return
    if command.stated.get("serial_number") != talk.device.serial_number:
        yield f"{talk.device.serial_number} takes a command for {command.stated.get('serial_number')}"
    if command.stated.get("expires_at", 0) + 86_400 <= talk.knows_s:
        yield f"{talk.device.serial_number} takes command {command.stated.get('counter')}, which has expired"


def _ends_with_guessing(evidence: Evidence, event: Answered) -> Iterator[str]:
    """Whoever guesses MACs is cut off after a few; constant time is no matter of a simulated clock.

    A request without a MAC is no guess. A cable cannot be cut: a session ends there, and the next one begins, in place.
    """
    fact, line = event.fact, (event.question.line, event.fact.terminal_id)
    if line[0] in evidence.cables and evidence.refused_in_a_row[line] == WRONG_MACS_MAX:
        evidence.refused_in_a_row[line] = 0
    if not event.question.fact.unsealed.mac:
        return
    evidence.refused_in_a_row[line] = evidence.refused_in_a_row[line] + 1 if fact.code == BAD_MAC else 0
    if evidence.refused_in_a_row[line] > WRONG_MACS_MAX:
        yield f"{evidence.refused_in_a_row[line]} wrong MACs for {fact.terminal_id} were answered on one line"
    if evidence.refused_in_a_row[line] == WRONG_MACS_MAX:
        had = {row["serial_number"] for row in evidence.rows_of("terminals") if row["terminal_id"] == fact.terminal_id}
        if not any(row["act"] == ALARM and row["serial_number"] in had for row in evidence.rows_of("audit")):
            yield f"{WRONG_MACS_MAX} wrong MACs for {fact.terminal_id} raised no alarm"


def _bad_mac_is_doubt(evidence: Evidence, event: Moved) -> Iterator[str]:
    """A refusal without a MAC may be believed where the host makes none; one with a wrong MAC never."""
    step, talk = event.step, evidence.talk(event.terminal_id)
    if talk is None or (step.before, step.after) != ("pending", "declined"):
        return
    name = (event.terminal_id, *step.key)
    said = [fact for mti in ANSWERS for fact in evidence.got.get((name, mti), ())]
    believable = [
        fact
        for fact in said
        if fact.code not in APPROVALS and (not fact.unsealed.mac or (name, fact.mti, fact.code) in talk.authentic)
    ]
    if said and not believable:
        yield f"{spelt(name)} counts as refused, and no refusal of it could be believed"


def _under_its_keys(evidence: Evidence, event: Sent) -> Iterator[str]:
    fact, talk = event.fact, evidence.talk(event.terminal_id)
    if talk is None or fact.mti not in PROTECTED:
        return
    ring = talk.device.ring
    if not talk.device.is_opened and not proves(ring, fact):
        yield f"{spelt(fact.key)} leaves without a MAC under the working key"
    message = fact.unsealed.message
    if message.has(F.PIN_BLOCK) and ring.is_working:
        try:
            _PIN_FORMAT[ring.algorithm].decrypt(
                PinKey(ring.keys["pik"]), message.octets(F.PIN_BLOCK), message.text(F.PAN)
            )
        except ProtocolError:
            yield f"{spelt(fact.key)} leaves with a PIN that is not under the PIN key"


def _lattice(evidence: Evidence, event: Rekeyed) -> Iterator[str]:
    if event.after.is_working and "tmk" not in event.after.keys:
        yield f"{event.serial_number} has working keys and no master key"


def _old_keys_die(evidence: Evidence, event: Replied) -> Iterator[str]:
    for talk in evidence.talks_at(event.fact.terminal_id):
        version = talk.version_of_keys(event.fact)
        if 0 <= version < talk.proven:
            yield (
                f"{talk.device.serial_number} is answered under the keys of sign-on {version + 1}, "
                f"and has used those of sign-on {talk.proven + 1}"
            )
        talk.proven = max(talk.proven, version)


def _checked_keys(evidence: Evidence, event: Rekeyed) -> Iterator[str]:
    talk = evidence.talks[event.serial_number]
    mak, pik = event.after.keys.get("mak"), event.after.keys.get("pik")
    if mak is None or mak == event.before.keys.get("mak"):
        return
    if not any((keys.mak, keys.pik) == (mak, pik) for keys in talk.heard):
        yield f"{event.serial_number} has loaded working keys that no host told it with the right check values"


def _blank_after_opening(evidence: Evidence, event: Sent) -> Iterator[str]:
    talk = evidence.talk(event.terminal_id)
    if talk and talk.device.is_opened and talk.device.key_bytes_left:
        yield f"{talk.device.serial_number} was opened, and {talk.device.key_bytes_left} bytes of its keys are left"


def _nothing_new_when_opened(evidence: Evidence, event: Moved) -> Iterator[str]:
    talk = evidence.talk(event.terminal_id)
    if talk and talk.device.is_opened and (event.step.before, event.step.after) == ("", "pending"):
        yield f"{spelt((event.terminal_id, *event.step.key))} is begun on a device that was opened"


def _opened_for_ever(evidence: Evidence, event: Quiet) -> Iterator[str]:
    for serial_number, talk in evidence.talks.items():
        if not talk.device.is_opened:
            continue
        if talk.device.key_bytes_left:
            yield f"{serial_number} was opened, and {talk.device.key_bytes_left} bytes of its keys are left"
        for key in talk.device.known_keys:
            for chip, memory in talk.device.memories.items():
                if key in memory.image:
                    yield f"{serial_number} was opened, and a key stands in its {chip}"


def _nonces(evidence: Evidence, event: Rekeyed) -> Iterator[str]:
    device = evidence.talks[event.serial_number].device
    for what in device.reused_nonces:
        yield f"{event.serial_number} has sealed {what} twice under one nonce"
    device.reused_nonces.clear()


def _sealed_cards(evidence: Evidence, event: Entered) -> Iterator[str]:
    talk = evidence.talk(event.terminal_id)
    sealed = bytes.fromhex(event.record.get("row", {}).get("card_sealed", ""))
    if talk is None or not sealed:
        return
    if talk.device.nonces.setdefault(sealed[:12], sealed) != sealed:
        yield f"{talk.device.serial_number} has sealed two cards under one nonce"


def _new_keys(evidence: Evidence, event: Replied) -> Iterator[str]:
    for talk in evidence.talks_at(event.fact.terminal_id):
        keys = talk.keys_in(event.fact)
        if keys and evidence.issued_under.setdefault(keys.mak, event.fact.key) != event.fact.key:
            yield f"{talk.device.serial_number} is given working keys that somebody was given before"


KEYS: Final = (
    Invariant("C1", Entered, "a command is taken if the host signed it", _signed_by_host),
    Invariant("C1", Change, "the host captures what a device asked for", _asked_by_device),
    Invariant("C1", Moved, "a device captures what was approved under its MAC", _approved_under_mac),
    Invariant("C2", Entered, "the counters of commands rise", _fresh),
    Invariant("C2", Sent, "a command is in the journal before anybody hears of it", _written_before),
    Invariant("C3", Entered, "a command is taken by the device that it names", _meant_for_it),
    Invariant("C4", Answered, "who guesses MACs is cut off, and an alarm is raised", _ends_with_guessing),
    Invariant("C5", Moved, "an answer with a wrong MAC is no refusal", _bad_mac_is_doubt),
    Invariant("K1", Sent, "money is asked for under working keys, a PIN under the PIN key", _under_its_keys),
    Invariant("K1", Rekeyed, "working keys stand under a master key", _lattice),
    Invariant("K2", Replied, "old working keys die with the first use of new ones", _old_keys_die),
    Invariant("K3", Rekeyed, "keys are loaded if their check values are right", _checked_keys),
    Invariant("K4", Sent, "nothing of a key is left in a device that was opened", _blank_after_opening),
    Invariant("K4", Moved, "nor does it begin anything", _nothing_new_when_opened),
    Invariant("K4", Quiet, "and nothing is left for ever", _opened_for_ever),
    Invariant("K5", Rekeyed, "no nonce seals twice", _nonces),
    Invariant("K5", Entered, "nor two cards", _sealed_cards),
    Invariant("K5", Replied, "nobody is given the same working keys twice", _new_keys),
)
