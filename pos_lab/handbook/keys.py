"""What the pages say of keys: the slots of the secure module, the sets of a sign-on, what is counted and alarmed."""

from __future__ import annotations

from firmware_sim.key_memory import FAIL_COUNTERS
from firmware_sim.key_slots import KEY_SLOTS
from pos_lab.handbook.markdown import code, codes, sections, table
from protocol.crypto.keys import KEY_CIPHERS, KEY_LAYOUTS
from terminal.flows.sign_in import ALGORITHMS
from terminal.tamper import AFTER_TAMPER, ALARMS, MODULE_REFUSALS


def keys() -> str:
    """Every key and what it may do, every set of working keys, every counter and alarm."""
    slots = table(
        ("slot", "key", "may"),
        ((code(slot), f"{row.use} key", ", ".join(sorted(row.operations))) for slot, row in KEY_SLOTS.items()),
    )
    networks = table(
        ("60.3", "algorithm", "wrapped by", "field 62"),
        (
            (
                code(network),
                ALGORITHMS[network].upper(),
                KEY_CIPHERS[network].name,
                ", ".join(f"{slot.use} {slot.key_bytes} bytes" for slot in layout),
            )
            for network, layout in KEY_LAYOUTS.items()
        ),
    )
    counters = table(("counter", "what it counts"), ((code(name), what) for name, what in FAIL_COUNTERS.items()))
    alarms = table(("alarm", "English", "中文"), ((code(alarm.name), alarm.english, alarm.chinese) for alarm in ALARMS))
    refusals = table(
        ("the secure module says", "the cashier is told"),
        ((code(error), code(reason)) for error, reason in MODULE_REFUSALS.items()),
    )
    return sections(
        "## Slots",
        "One key, one use: any other operation is refused and counted.",
        slots,
        "## Working keys",
        "What a sign-on asks for (CUP 5.2). Every key comes with its check value; all are loaded or none.",
        networks,
        "## Fail counters",
        counters,
        "## Alarms",
        f"After the case was opened every key is gone for ever and only {codes(sorted(AFTER_TAMPER))} are left; the "
        "journal stays readable.",
        alarms,
        "## Refusals",
        refusals,
    )
