"""TABLES IDS, WORKLOAD and ELSEWHERE: the fault catalogue, row by row, and where each row is brought about.

Rules owned here: every id is brought about in worlds, by a kind of fault (KINDS) or by what people do there (WORKLOAD),
or it stands in ELSEWHERE with the reason and the test that shows it; none is in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pos_lab.sim.faults import KINDS

SECTIONS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "N": (32, "transport: TCP and TLS"),
        "U": (14, "serial line"),
        "H": (23, "host process and store"),
        "T": (17, "terminal memory and power"),
        "P": (6, "peripherals"),
        "C": (7, "clock"),
        "O": (14, "operator, lifecycle, campaign"),
        "A": (16, "adversary: keys, commands, firmware"),
        "X": (13, "hostile input files and web"),
    }
)
"""Letter -> how many rows the catalogue has under it, and what they are about."""
IDS: Final = tuple(f"{letter}{number:02d}" for letter, (count, _) in SECTIONS.items() for number in range(1, count + 1))

WORKLOAD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "C05": "worlds begin at the edges of day, month and year, and on 29 February (`BEGINNINGS`)",
        "H19": "errands `publish_policy`, `amend` and `publish_parameters` in mid-batch",
        "H23": "errand `pass_years` while batches are open: nothing that is needed may be purged",
        "O04": "errands `retire` and `pass_days`: the date passes in mid-batch",
        "O06": "errand `swap` while batch, signatures, reversals and notices are open",
        "O12": "intents `void`, `refund`, `completion`: of what was undone, above the rest, twice, of nothing",
        "A10": "errand `firmware` publishes flawed images too (`FLAWS`)",
        "A14": "errand `renew_key`, by card or over the line, under every fault of line and power",
        "H17": "every request: the order of tasks and timers of one instant is drawn",
        "X13": "the canary search at the end of every world",
    }
)
"""Id -> which part of the workload it is: not a fault, but something that worlds do."""


class Elsewhere(NamedTuple):
    """A row of ELSEWHERE: the reason why worlds do not have it, and the test that does."""

    reason: str
    test: str


ELSEWHERE: Final[Mapping[str, Elsewhere]] = MappingProxyType(
    {
        "N22": Elsewhere(
            "a clone's journal is a third book, and its sales are a thief's", "end_to_end/test_hostile_wire.py"
        ),
        "N26": Elsewhere("real TLS, whose chance no seed decides", "end_to_end/test_bad_certificates.py"),
        "N27": Elsewhere("as N26: how TLS 1.3 shakes hands", "conformance/test_tls.py"),
        "N29": Elsewhere("as N26: early data are not offered", "conformance/test_tls.py"),
        "N31": Elsewhere("how asyncio loses a real TLS transport", "conformance/test_tls.py"),
        "U10": Elsewhere("no cash register is at these tills", "pos_lab/test_console.py"),
        "U11": Elsewhere("frames go by their length", "protocol/test_framing.py"),
        "U14": Elsewhere("one till has one line; an echo is a frame that nobody asked for", "protocol/test_framing.py"),
        "H08": Elsewhere("a database in memory has no pages to rot", "host/store/test_faults.py"),
        "H09": Elsewhere(
            "an old database has forgotten money: the host must say so, not agree", "host/store/test_backup.py"
        ),
        "H13": Elsewhere(
            "SQLite lets one host in; several stand on PostgreSQL", "host/store/test_shared_desk.py"
        ),
        "H21": Elsewhere(
            "no host closes a batch by itself; one that its device cannot close is closed with its replacement",
            "host/admin/test_ending.py",
        ),
        "H22": Elsewhere("what a host logs is no part of a world; a log that cannot be written costs only itself",
                         "pos_lab/test_logs.py"),
        "T12": Elsewhere(
            "an old image has forgotten money that no book can give back: STAN and nonces are what must hold",
            "host/test_duplicates.py",
        ),
        "P06": Elsewhere("a display has no state that a flow waits for", "firmware_sim/test_display.py"),
        "C06": Elsewhere("a million transactions make no world: counters are set to their last number",
                         "terminal/test_tables.py"),
        "O09": Elsewhere("hashing a password costs more time than a day of sales", "terminal/test_operators.py"),
        "O10": Elsewhere("registration comes before a world's first sale", "host/admin/test_registration.py"),
        "O13": Elsewhere("who edits the database by hand is told by its chain", "host/store/test_faults.py"),
        "O14": Elsewhere("rows that somebody deleted: the books are not to agree", "terminal/test_settle.py"),
        "A05": Elsewhere("every re-encoding of a message, under its MAC", "protocol/test_codec.py"),
        "A06": Elsewhere("as N22", "host/test_lines.py"),
        "A09": Elsewhere("no text from the host is a question: prompts are the terminal's own",
                         "terminal/test_hostile_orders.py"),
        "A15": Elsewhere("a restored memory of the secure module", "firmware_sim/test_secure_module.py"),
        "X02": Elsewhere("files are read before any world begins", "pos_lab/test_scenario_loader.py"),
        "X03": Elsewhere("as X02", "pos_lab/test_scenario_loader.py"),
        "X04": Elsewhere("as X02", "pos_lab/test_scenario_loader.py"),
        "X05": Elsewhere("as X02", "pos_lab/test_scenario_loader.py"),
        "X06": Elsewhere("bombs in pictures and numbers of a thousand digits", "protocol/test_jbig.py"),
        "X07": Elsewhere("no pattern of a user's is run: shapes are the program's own", "host/test_wellformed.py"),
        "X08": Elsewhere("the API of the office is no part of a world", "host/web"),
        "X09": Elsewhere("as X08", "host/web"),
        "X10": Elsewhere("what is exported or logged stays text", "pos_lab/test_logs.py"),
        "X11": Elsewhere("as X08: rights and tokens", "host/web"),
        "X12": Elsewhere("statements have parameters, columns come from a list", "host/store/test_database.py"),
    }
)  # fmt: skip
"""Id -> why not in worlds, and the file under ``tests/`` that shows it."""


def kinds_of(identifier: str) -> Iterator[str]:
    """The kinds of fault that bring a row about."""
    return (name for name, kind in KINDS.items() if identifier in kind.rows.split())
