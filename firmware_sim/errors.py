"""Everything that a device can fail at, one tree.

    DeviceError                         code, message, hint
    ├── ChipError                       a chip whose file cannot be used or written
    │   └── ChipInUse                   another process runs this device
    ├── NotRecorded                     the memory did not take a record: what is in it can still be read
    │   ├── NvramFull                   no room for it: nothing was written
    │   └── NvramWorn                   it cannot be erased any more
    ├── NvramCorrupt                    content that no power cut explains
    ├── SecureModuleError               a key that is absent or malformed, storage of another device
    ├── EntryTimeout                    nobody pressed a key or presented a card in time
    ├── EntryCancelled                  the cancel key
    │   ├── PinPadRemoved               the PIN pad was unplugged
    │   └── KeyFlood                    keys came faster than they were taken
    ├── CardError                       a card that cannot be read or left too early; code says which
    ├── PrinterError                    code says what stopped the paper
    ├── PadError                        code says why there is no signature
    ├── LineError
    │   ├── LineDown                    no connection to the host, or it ended
    │   └── LineSilent                  the host did not answer in time
    ├── BootFailed                      no slot holds an image that may run
    ├── UpdateRefused                   code says which rule of the update refused
    └── UnknownName                     a model, card or fault point that no table has

``PowerLost`` (``firmware_sim.power``) is not among them: a power cut is no error that a program can handle.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from protocol.errors import ToldError

NAMES_SHOWN_MAX = 40


class DeviceError(ToldError):
    """Base of the tree."""

    code = "device"


class ChipError(DeviceError):
    """A chip whose file cannot be used; after a failed write its content is unknown until it is opened again."""

    code = "chip"


class ChipInUse(ChipError):
    """Another process holds the chip: one device cannot run twice."""

    code = "chip_in_use"


class NotRecorded(DeviceError):
    """A record that the memory did not take; what is in it can still be read."""

    code = "not_recorded"


class NvramFull(NotRecorded):
    """A record that does not fit; raised before anything is written."""

    code = "nvram_full"


class NvramWorn(NotRecorded):
    """Memory that cannot be erased any more: what it holds can still be read."""

    code = "nvram_worn"


class NvramCorrupt(DeviceError):
    """Stored bytes that are neither records nor the torn tail of a power cut."""

    code = "nvram_corrupt"


class SecureModuleError(DeviceError):
    """A key that is not there or has the wrong length, or protected storage that is not this device's."""

    code = "secure_module"


class EntryTimeout(DeviceError):
    """Nobody pressed a key or presented a card in time."""

    code = "entry_timeout"


class EntryCancelled(DeviceError):
    """The cancel key ended the entry."""

    code = "entry_cancelled"


class CardError(DeviceError):
    """The card cannot be used: "card_unreadable", "chip_mute", "card_removed" or "card_torn"."""

    code = "card"


class PrinterError(DeviceError):
    """The slip is not on paper, or in part: "out_of_paper", "jam" or "overheated"."""

    code = "printer"


class PadError(DeviceError):
    """Nobody signed: "cancelled", "timeout", "empty" or "too_large"."""

    code = "pad"


class PinPadRemoved(EntryCancelled):
    """The PIN pad was unplugged while a PIN was asked for."""

    code = "pin_pad_removed"


class KeyFlood(EntryCancelled):
    """Keys came faster than they were taken; all of them are dropped."""

    code = "key_flood"


class LineError(DeviceError):
    """No reply: the outcome of what was sent is unknown."""

    code = "line"


class LineDown(LineError):
    """There is no connection to the host, or it ended."""

    code = "line_down"


class LineSilent(LineError):
    """The host did not answer in time."""

    code = "line_silent"


class BootFailed(DeviceError):
    """No slot holds an image that may run."""

    code = "boot_failed"


class UpdateRefused(DeviceError):
    """An update step that may not be done now; ``code`` names the rule."""

    code = "update_refused"


class UnknownName(DeviceError):
    """A name that its table does not have; of a long table the first NAMES_SHOWN_MAX names are told."""

    code = "unknown_name"

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(name, names, n=1)
        more = f" and {len(names) - NAMES_SHOWN_MAX} more" if len(names) > NAMES_SHOWN_MAX else ""
        hint = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(names[:NAMES_SHOWN_MAX])}{more}"
        super().__init__(f"unknown {kind} {name!r}", hint=hint)
