"""Scripts of the issuer, run by the chip, SCRIPTS_MAX of each template; DF31 tells how each went (PBOC 3.0)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, MutableMapping
from typing import Final

from firmware_sim.card_reader import ChipLink
from firmware_sim.errors import CardError
from protocol.tlv import Node, walk
from terminal.chip_results import SCRIPT_FAILED, SCRIPTS, did, mark

log = logging.getLogger("poslab.terminal")
SCRIPTS_MAX: Final = 8
RESULTS: Final = 0xDF31
_DONE: Final = 0x20
_FAILED_AT: Final = 0x10
_COMMAND_DONE: Final = b"\x90\x00"


def run_scripts(link: ChipLink, objects: MutableMapping[int, bytes], told: Iterable[Node], template: int) -> None:
    """Have the chip obey the scripts of a template that the host ``told``; DF31 gets a line of five bytes for each."""
    for script in [node.children for node in told if node.tag == template][:SCRIPTS_MAX]:
        number = next((node.octets for node in script if node.tag == 0x9F18), b"").rjust(4, b"\0")[-4:]
        commands = [node.octets for node in walk(script) if node.tag == 0x86]
        done = _DONE
        for place, command in enumerate(commands, 1):
            if not _obeys(link, command):
                done = _FAILED_AT | min(place, 0x0F)
                mark(objects, SCRIPT_FAILED[template])
                break
        did(objects, SCRIPTS)
        objects[RESULTS] = objects.get(RESULTS, b"") + bytes((done,)) + number


def _obeys(link: ChipLink, command: bytes) -> bool:
    try:
        return link.run(command) == _COMMAND_DONE
    except CardError as error:
        log.warning("a script was not run: %s", error)
        return False
