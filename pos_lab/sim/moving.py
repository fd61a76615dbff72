"""A swap as people do it: the old device hands over, the new one takes over, the old one is wiped.

Rules owned here: TABLE STAGES; whatever interrupts a stage, the same flow is started again at the same device, by
whoever stands there; the shop sells on the new device once that has taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pos_lab.sim.device import Device
from terminal.outcome import Outcome

if TYPE_CHECKING:
    from pos_lab.sim.shop import Shop

GIVEN_UP: Final = frozenset({"swap.cancelled", "swap.not_old", "swap.not_ordered", "swap.not_new"})
RESTORED: Final = "swap.restored_already"
"""What a device says whose last answer was lost."""
OUT_OF_ORDER: Final[Mapping[str, str]] = MappingProxyType(
    {"terminal.tampered": "tamper", "terminal.memory_worn": "lose", "swap.wiped": "lose"}
)
"""Why a device is of no use any more, and what the acquirer is told of it."""


class Stage(Enum):
    """What comes next."""

    HAND_OVER = "hand_over"
    TAKE_OVER = "take_over"
    WIPE = "wipe"


STAGES: Final[Mapping[Stage, tuple[str, str]]] = MappingProxyType(
    {
        Stage.HAND_OVER: ("hand_over", "swap_drained"),
        Stage.TAKE_OVER: ("take_over", "swap_taken_over"),
        Stage.WIPE: ("hand_over", "swap_wiped"),
    }
)
"""Stage -> the flow, and the marker of its end."""
_NEXT: Final[Mapping[Stage, Stage | None]] = MappingProxyType(
    {Stage.HAND_OVER: Stage.TAKE_OVER, Stage.TAKE_OVER: Stage.WIPE, Stage.WIPE: None}
)


class Moving:
    """A swap of the device of a shop for ``new``; ``is_done`` once nothing is left to do, or it is off."""

    def __init__(self, shop: Shop, new: Device) -> None:
        self.old, self.new = shop.device, new
        self.stage: Stage | None = Stage.HAND_OVER
        self._shop = shop
        self._was_cut = self._has_card = False

    @property
    def is_done(self) -> bool:
        """Is nothing left to do?"""
        return self.stage is None

    async def go_on(self) -> Outcome | None:
        """The next flow at the device whose turn it is; None where the power went, or nothing is left to do."""
        if self.stage is None:
            return None
        flow, marker = STAGES[self.stage]
        if self.stage is Stage.TAKE_OVER and not self._has_card:
            await self._shop.world.office.bring_card(self.new)
            self._has_card = True
        device = self.new if self.stage is Stage.TAKE_OVER else self.old
        outcome = await device.play(flow)
        if outcome is None:
            self._was_cut = True
        elif outcome.is_good or (self.stage is Stage.TAKE_OVER and outcome.reason == RESTORED):
            self._shop.world.sometimes(marker)
            if self._was_cut:
                self._shop.world.sometimes("swap_resumed_after_cut")
            self._was_cut = False
            if self.stage is Stage.TAKE_OVER:
                self._shop.move_to(self.new)
            self.stage = _NEXT[self.stage]
        elif outcome.reason in GIVEN_UP:
            if outcome.reason == "swap.cancelled":
                self._shop.world.sometimes("swap_cancelled")
            self.stage = None
        elif outcome.reason in OUT_OF_ORDER:
            self._give_up(OUT_OF_ORDER[outcome.reason])
        return outcome

    def _give_up(self, why: str) -> None:
        """The device whose turn it is is of no use any more: whoever has the till is replaced, or nobody is."""
        shop, stage, self.stage = self._shop, self.stage, None
        if stage is Stage.WIPE:
            return
        if stage is Stage.TAKE_OVER and shop.world.host_state(self.new.serial_number) == "delivered":
            shop.world.office.act("cancel_swap", serial_number=self.old.serial_number)
            return
        if stage is Stage.TAKE_OVER:
            shop.move_to(self.new)
        shop.broken = why
