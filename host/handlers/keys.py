"""Answers to the two steps of a master-key download: 352 for the host's RSA key, 350 for the key (CUP 3.7, 5.1)."""

from __future__ import annotations

from host.case import Case
from host.decision import Decision
from host.refusals import Refused
from host.retirement import audit
from protocol.errors import KeyLoadError
from protocol.fields import F


def rsa_key(case: Case) -> Decision:
    """The RSA key under which a device may send a transport key, signed by the host; no secret for nobody."""
    return Decision(fields={F.PAYLOAD: case.keys.offer(case.snapshot.signing_key)}, remember=False)


def master_key(case: Case) -> Decision:
    """The device's master key under its transport key, the same at every try, so that a lost reply costs nothing.

    A terminal id is no secret (faults A07): the device proves its working keys, or an administrator has opened the
    download for a while. Raises DecodeError where field 62 holds no transport key.
    """
    if not case.mac.good and case.at >= case.terminal.download_until:
        return Decision(Refused("key.download_closed"), remember=False)
    try:
        answer = case.keys.download(case.terminal, case.request.message.octets(F.PAYLOAD))
    except KeyLoadError:
        return Decision(Refused("key.transport_key"), remember=False)
    serial_number = case.terminal.serial_number
    told = audit(serial_number, serial_number, "master key download", "answered", case.at)
    return Decision(fields={F.PAYLOAD: answer}, writes=(told,), remember=False)
