"""TABLE MARKERS: what must happen sometimes, or the worlds are not as rich as they seem.

Rules owned here: whoever lives a world says ``sometimes`` at the instant; a name without a row is a mistake of ours.
Counting is all that happens: nothing draws, nothing changes, and outside of worlds nobody counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MARKERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "late_response_crossed_reversal": "an approval reaches a terminal that is reversing it",
        "reversal_before_original": "a reversal reaches the host before what it reverses",
        "reversal_repeated": "a reversal is sent again because nobody answered",
        "cut_during_recovery": "the power goes while a terminal recovers",
        "cut_during_erasure": "the power goes while keys are erased",
        "cut_while_reversal_pends": "the power goes while a reversal waits",
        "cut_during_settlement": "the power goes inside a settlement",
        "stop_during_sale": "a stop comes while a sale is under way",
        "hold_during_sale": "a hold comes while a sale is under way",
        "hold_during_settlement": "a hold comes while a batch is being settled",
        "policy_changed_during_sale": "rules change while a sale is under way",
        "announcement_stops_sale": "a sale waits for somebody to read an announcement",
        "command_carried_out": "a signed command is carried out",
        "firmware_installed": "a device boots new firmware and keeps it",
        "firmware_reverted": "a device goes back to the firmware before",
        "firmware_refused": "a device refuses an image",
        "parameters_downloaded": "a table is downloaded",
        "master_key_renewed": "a terminal signs on under another master key",
        "swap_drained": "an old device has settled and backed up",
        "swap_taken_over": "a new device has taken a till over",
        "swap_wiped": "an old device was wiped, and the host has its certificate",
        "swap_resumed_after_cut": "a swap goes on after the power went inside it",
        "swap_cancelled": "a swap is cancelled at a device that knew of it",
        "campaign_stopped_terminal": "the date of a plan stops a terminal",
        "device_written_off": "a device that cannot go on is replaced, and its open batch closed",
        "device_out_of_service_tried": "somebody switches on a device that was replaced",
        "stopped_terminal_drained": "a stopped terminal settles its batch",
        "host_died_in_job": "the host dies in a commit of a job of its own",
        "job_ran": "a job of the host finds something due",
        "signature_resent": "a signature is uploaded again",
        "offline_uploaded": "an offline sale is booked by the host",
        "journal_was_full": "a sale is refused because the journal is full",
        "books_differed": "a batch whose books differ is uploaded, and the difference written down",
        "chip_declined_approval": "a chip declines what its issuer approved",
        "clock_was_wrong": "a terminal adopts the host's time",
    }
)


class Sightings:
    """The markers of one run, counted."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def sometimes(self, name: str) -> None:
        """Count a marker; KeyError for one that has no row."""
        MARKERS[name]
        self.seen[name] += 1
