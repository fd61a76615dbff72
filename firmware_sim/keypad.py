"""The keypad: plain entries for the application, PINs for the secure module only.

Rules owned here: a PIN goes into the secure entry, which the board wires to the keypad and the secure module and to
nobody else; it is overwritten with zeros when it was used, cancelled or cleared. Only the digits 0 to 9 are digits.
"""

from __future__ import annotations

from typing import TypeVar

from firmware_sim.errors import DeviceError, EntryCancelled, EntryTimeout
from firmware_sim.inbox import Inbox
from firmware_sim.power import Power, Powered
from protocol.crypto.pinblock import PIN_DIGITS_MAX, PIN_DIGITS_MIN

T = TypeVar("T")


class SecureEntry:
    """The memory between the keys and the secure module: one PIN, taken once."""

    def __init__(self) -> None:
        self._digits = bytearray()

    def fill(self, digits: bytes) -> None:
        """Keep ``digits`` in place of what was there."""
        self.wipe()
        self._digits += digits

    def take(self) -> bytearray:
        """Return the PIN, which the caller overwrites after use; empty when there is none."""
        taken, self._digits = self._digits, bytearray()
        return taken

    def wipe(self) -> None:
        """Overwrite the PIN with zeros and forget it."""
        wipe(self.take())


def wipe(secret: bytearray) -> None:
    """Overwrite ``secret`` with zeros."""
    secret[:] = bytes(len(secret))


class Keypad(Powered):
    """The keys of one power epoch. Entries may be typed ahead of the question."""

    def __init__(self, power: Power, secure_entry: SecureEntry) -> None:
        super().__init__(power)
        self._secure_entry = secure_entry
        self._entries: Inbox[str | EntryCancelled] = Inbox(power)
        self._pins: Inbox[int | EntryCancelled] = Inbox(power)

    def press(self, text: str) -> None:
        """Type ``text`` and enter."""
        self._entries.put(text)

    def cancel(self) -> None:
        """Press the cancel key instead of an entry."""
        self._entries.put(EntryCancelled("the cashier pressed cancel"))

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
        self._check()
        self._secure_entry.wipe()
        self._pins.clear()
        self._pins.put(EntryCancelled("the cardholder pressed cancel"))

    def clear(self) -> None:
        """Forget everything typed ahead, the PIN first: the next question starts from nothing."""
        self._check()
        self._secure_entry.wipe()
        self._pins.clear()
        self._entries.clear()

    async def read(self, timeout_s: float | None = None) -> str:
        """Return the next entry; raises EntryTimeout, EntryCancelled, PowerLost."""
        return await _answer(self._entries, timeout_s)

    async def read_pin(self, timeout_s: float | None = None) -> int:
        """Wait for a PIN and return how many digits it has, 0 when the cardholder entered none.

        The PIN itself waits for ``SecureModule.pin_block``. Raises EntryTimeout, EntryCancelled, PowerLost.
        """
        return await _answer(self._pins, timeout_s)


async def _answer(inbox: Inbox[T | EntryCancelled], timeout_s: float | None) -> T:
    try:
        answer = await inbox.take(timeout_s)
    except TimeoutError as error:
        raise EntryTimeout("nobody pressed a key") from error
    if isinstance(answer, EntryCancelled):
        raise answer
    return answer
