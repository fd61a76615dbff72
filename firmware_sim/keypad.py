"""The keypad: plain entries for the application, PINs for the secure module only.

Rules owned here: a PIN goes into the secure entry, which the board wires to the keypad and the secure module and to
nobody else; it is overwritten with zeros when it was used, cancelled or cleared, when the time is up, the pad is
unplugged or keys flood it (TABLE PIN_FAULTS). Only the digits 0 to 9 are digits. No more is typed ahead than
ENTRIES_AHEAD_MAX entries of ENTRY_CHARACTERS_MAX characters. The cancel key also ends what waits for another device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from types import MappingProxyType
from typing import Final

from firmware_sim.errors import DeviceError, EntryCancelled, EntryTimeout, KeyFlood, PinPadRemoved
from firmware_sim.faults import Faults
from firmware_sim.inbox import Inbox
from firmware_sim.power import Power, Powered
from protocol.crypto.pinblock import PIN_DIGITS_MAX, PIN_DIGITS_MIN

ENTRIES_AHEAD_MAX: Final = 32
ENTRY_CHARACTERS_MAX: Final = 256

EntryFailed = EntryTimeout | EntryCancelled


class Key(Enum):
    """The keys that are no characters; the function keys are entries by themselves."""

    ENTER = "enter"
    CANCEL = "cancel"
    CLEAR = "clear"
    F1 = "F1"
    F2 = "F2"
    F3 = "F3"
    F4 = "F4"


CHARACTERS: Final = frozenset("0123456789.")
"""The keys that are characters."""

# fault point -> how the entry of a PIN ends; the part of the name behind the dot is what is counted
PIN_FAULTS: Final[Mapping[str, Callable[[], EntryFailed]]] = MappingProxyType(
    {
        "keypad.pin_timeout": lambda: EntryTimeout("nobody entered a PIN"),
        "keypad.pin_cancelled": lambda: EntryCancelled("the cardholder pressed cancel"),
        "keypad.pin_pad_removed": lambda: PinPadRemoved("the PIN pad was unplugged"),
        "keypad.key_flood": lambda: KeyFlood("keys came faster than they were taken"),
    }
)


class SecureEntry:
    """The memory between the keys and the secure module: one PIN, taken once; ``failures`` counts by FAIL_COUNTERS."""

    def __init__(self) -> None:
        self._digits = bytearray()
        self.failures: Counter[str] = Counter()

    def fill(self, digits: bytes) -> None:
        """Keep ``digits`` in place of what was there."""
        self.wipe()
        self._digits += digits

    def take(self) -> bytearray:
        """Return the PIN, which the caller overwrites after use; empty when there is none."""
        taken, self._digits = self._digits, bytearray()
        return taken

    def add(self, digit: str) -> None:
        """Put one digit behind the others; one too many is not taken."""
        if len(self._digits) < PIN_DIGITS_MAX:
            self._digits.append(ord(digit))

    def __len__(self) -> int:
        return len(self._digits)

    def wipe(self) -> None:
        """Overwrite the PIN with zeros and forget it."""
        wipe(self.take())


def wipe(secret: bytearray) -> None:
    """Overwrite ``secret`` with zeros."""
    secret[:] = bytes(len(secret))


class Keypad(Powered):
    """The keys of one power epoch. Entries may be typed ahead of the question; ``on_key`` hears of every key."""

    def __init__(self, power: Power, secure_entry: SecureEntry, faults: Faults) -> None:
        super().__init__(power)
        self._secure_entry = secure_entry
        self._faults = faults
        self._entries: Inbox[str | EntryFailed] = Inbox(power)
        self._pins: Inbox[int | EntryFailed] = Inbox(power)
        self._line = ""
        self._asks_pin = self._hides = False
        self._escape: Callable[[EntryCancelled], None] | None = None
        self.on_key: Callable[[], None] | None = None

    @property
    def asks_pin(self) -> bool:
        """Whether a PIN is asked for now, so that keys belong to it."""
        return self._asks_pin

    @property
    def hides_entry(self) -> bool:
        """Whether an entry is asked for now that nobody may read over a shoulder; a PIN is another thing."""
        return self._hides and not self._entries

    @contextmanager
    def escaping(self, escape: Callable[[EntryCancelled], None]) -> Iterator[None]:
        """Hand the cancel key to ``escape`` while the block waits for something else than a key.

        It may have been pressed just before, as the next key; what else was typed ahead is left for later questions.
        """
        self._check()
        self._escape = escape
        try:
            if self._entries and isinstance(ahead := self._entries.first, EntryCancelled):
                escape(ahead)
            yield
        finally:
            self._escape = None

    def strike(self, key: Key | str) -> None:
        """Press one key: a character of CHARACTERS or a Key; while a PIN is asked for, it belongs to the PIN.

        Enter ends an entry, clear takes back its last character, or the whole PIN; cancel and the function keys come in
        place of what was typed. Raises DeviceError for a key that there is not, PowerLost.
        """
        self._check()
        if not isinstance(key, Key) and key not in CHARACTERS:
            raise DeviceError("there is no such key", hint=f"one of {' '.join(sorted(CHARACTERS))} or a Key")
        self._touched()
        if self._asks_pin:
            self._strike_pin(key)
        elif isinstance(key, str):
            self._line = (self._line + key)[:ENTRY_CHARACTERS_MAX]
        elif key is Key.CLEAR:
            self._line = self._line[:-1]
        else:
            line, self._line = self._line, ""
            if key is Key.CANCEL:
                self.cancel()
            else:
                self.press(line if key is Key.ENTER else key.value)

    def press(self, text: str) -> None:
        """Type ``text`` and enter; one entry too many drops them all. Raises DeviceError on a text too long."""
        if len(text) > ENTRY_CHARACTERS_MAX:
            raise DeviceError(f"an entry has at most {ENTRY_CHARACTERS_MAX} characters")
        self._type(text)

    def cancel(self) -> None:
        """Press the cancel key instead of an entry."""
        self._type(EntryCancelled("the cashier pressed cancel"))

    def enter_pin(self, pin: str) -> None:
        """Type a PIN of 4 to 12 digits and enter, or only enter ("") for none; raises DeviceError on another length."""
        self._check()
        if pin and not (pin.isascii() and pin.isdigit() and PIN_DIGITS_MIN <= len(pin) <= PIN_DIGITS_MAX):
            raise DeviceError(f"a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits")
        self._secure_entry.fill(pin.encode())
        self._pins.clear()
        self._pins.put(len(pin))

    def cancel_pin(self) -> None:
        """Press the cancel key instead of a PIN."""
        self._end_pin("keypad.pin_cancelled")

    def remove_pin_pad(self) -> None:
        """Unplug the PIN pad: the PIN is gone, and who waits for it is told."""
        self._end_pin("keypad.pin_pad_removed")

    def clear(self) -> None:
        """Forget everything typed ahead, the PIN first: the next question starts from nothing."""
        self._check()
        self._secure_entry.wipe()
        self._pins.clear()
        self._entries.clear()
        self._line = ""

    async def read(self, timeout_s: float | None = None, *, hidden: bool = False) -> str:
        """Return the next entry, one to be ``hidden`` or not; raises EntryTimeout, EntryCancelled, PowerLost."""
        self._hides = hidden
        try:
            answer = await self._entries.take(timeout_s)
        except TimeoutError as error:
            raise EntryTimeout("nobody pressed a key") from error
        finally:
            self._hides = False
        if isinstance(answer, str):
            return answer
        raise answer

    async def read_pin(self, timeout_s: float | None = None) -> int:
        """Wait for a PIN and return how many digits it has, 0 when the cardholder entered none.

        The PIN itself waits for ``SecureModule.pin_block``. Raises EntryTimeout, EntryCancelled, PowerLost; the PIN is
        gone then.
        """
        self._check()
        for name in PIN_FAULTS:
            if self._faults.fires(name):
                self._end_pin(name)
        if not self._pins:
            self._secure_entry.wipe()
        self._asks_pin = True
        try:
            answer = await self._pins.take(timeout_s)
        except TimeoutError:
            self._end_pin("keypad.pin_timeout")
            answer = await self._pins.take()
        finally:
            self._asks_pin = False
        if isinstance(answer, int):
            return answer
        raise answer

    def _strike_pin(self, key: Key | str) -> None:
        """A PIN that is too short is taken back at enter; once it was entered, no key does anything."""
        length = len(self._secure_entry)
        if self._pins:
            return
        if isinstance(key, str):
            if key != ".":
                self._secure_entry.add(key)
        elif key is Key.CANCEL:
            self.cancel_pin()
        elif key is Key.ENTER and (not length or length >= PIN_DIGITS_MIN):
            self._pins.put(length)
        elif key in (Key.CLEAR, Key.ENTER):
            self._secure_entry.wipe()

    def _touched(self) -> None:
        if self.on_key is not None:
            self.on_key()

    def _type(self, entry: str | EntryFailed) -> None:
        self._check()
        self._touched()
        if len(self._entries) == ENTRIES_AHEAD_MAX:
            self._end_pin("keypad.key_flood")
            self._entries.clear()
            entry = KeyFlood("keys came faster than they were taken")
        if self._escape is not None and isinstance(entry, EntryCancelled):
            self._escape(entry)
        else:
            self._entries.put(entry)

    def _end_pin(self, name: str) -> None:
        """Let the entry of a PIN end as a row of PIN_FAULTS says, with nothing left of it."""
        self._check()
        self._secure_entry.wipe()
        self._secure_entry.failures[name.partition(".")[2]] += 1
        self._pins.clear()
        self._pins.put(PIN_FAULTS[name]())
