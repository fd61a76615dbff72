"""TABLES IDS, WORKLOAD and ELSEWHERE: the fault catalogue, row by row, and where each row is brought about.

Rules owned here: every id is brought about in worlds, by a kind of fault (KINDS) or by what people do there (WORKLOAD),
or it stands in ELSEWHERE with the reason and the tests that show it; none is in both.
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
    """A row of ELSEWHERE: the reason why worlds do not have it, and the tests that do: ``file::name``, by blanks.

    None where the product has nothing that could be tried.
    """

    reason: str
    tests: str


_LOADER: Final = "pos_lab/test_scenario_loader.py::test"
ELSEWHERE: Final[Mapping[str, Elsewhere]] = MappingProxyType(
    {
        "N22": Elsewhere(
            "a clone's journal is a third book, and its sales are a thief's",
            "end_to_end/test_hostile_wire.py::test_a_clone_on_the_wire_is_hung_up_and_the_newest_sells",
        ),
        "N26": Elsewhere(
            "real TLS, whose chance no seed decides",
            "end_to_end/test_bad_certificates.py::test_nobody_false_gets_a_sale_and_everybody_is_named",
        ),
        "N27": Elsewhere(
            "as N26: how TLS 1.3 shakes hands", "conformance/test_tls.py::test_a_bad_terminal_is_refused_by_name"
        ),
        "N29": Elsewhere("as N26: early data are not offered", "conformance/test_tls.py::test_there_is_no_early_data"),
        "N31": Elsewhere(
            "how asyncio loses a real TLS transport",
            "conformance/test_tls.py::test_a_lost_line_tells_by_connection_lost",
        ),
        "U10": Elsewhere(
            "the product has no protocol of cash registers; whoever resends by the console sells again", ""
        ),
        "U11": Elsewhere(
            "frames go by their length", "protocol/test_framing.py::test_any_chunking_gives_the_same_payloads"
        ),
        "U14": Elsewhere(
            "one till has one line; a frame that comes back is dropped by what it says",
            "protocol/test_framing.py::test_stx_its_own_frame_that_comes_back_is_no_message "
            "protocol/test_framing.py::test_stx_tells_of_a_line_in_loopback",
        ),
        "H08": Elsewhere(
            "a database in memory has no pages to rot",
            "host/store/test_faults.py::test_a_damaged_page_is_told_and_never_served",
        ),
        "H09": Elsewhere(
            "an old database has forgotten money: the host must say so, not agree",
            "host/store/test_backup.py::test_a_restored_host_sells_nothing_until_it_is_accepted",
        ),
        "H13": Elsewhere(
            "SQLite lets one host in, which believes its caches; several on PostgreSQL fence by the terminal's row",
            "end_to_end/test_workers.py::test_a_database_is_copied_checked_and_brought_back "
            "host/store/test_shared_desk.py::test_a_line_at_one_host_fences_those_at_the_other",
        ),
        "H21": Elsewhere(
            "no host closes a batch by itself; what is undone behind a close is an adjustment (S6)",
            "host/handlers/test_settle.py::test_a_reversal_after_the_close_is_taken_off_the_next_payout",
        ),
        "H22": Elsewhere(
            "what a host logs is no part of a world; a log that cannot be written costs only itself",
            "pos_lab/test_logs.py::test_a_blocked_log_costs_lines_and_nothing_else "
            "pos_lab/test_logs.py::test_a_full_disk_under_the_log_costs_lines_and_nothing_else",
        ),
        "T12": Elsewhere(
            "an old image has forgotten money that no book can give back: such worlds are asked for the rest",
            "pos_lab/sim/test_rolled_back.py::test_an_older_image_repeats_no_nonce_no_command_and_no_capture "
            "firmware_sim/test_secure_module.py::test_a_restored_memory_repeats_no_nonce",
        ),
        "P06": Elsewhere(
            "a display has no state that a flow waits for",
            "firmware_sim/test_display.py::test_what_was_shown_is_known_after_a_cut",
        ),
        "C06": Elsewhere(
            "a million transactions make no world: counters are set to their last number",
            "terminal/test_tables.py::test_numbers_wrap_to_one "
            "host/handlers/test_settle.py::test_batches_are_counted_and_wrap",
        ),
        "O09": Elsewhere(
            "hashing a password costs more time than a day of sales",
            "terminal/test_operators.py::test_a_cashier_needs_the_supervisor_to_clear_a_reversal",
        ),
        "O10": Elsewhere(
            "registration comes before a world's first sale",
            "host/handlers/test_sign_in.py::test_a_bound_terminal_must_be_the_device_that_it_was_sold_as "
            "host/admin/test_registration.py::test_a_form_is_reviewed_once",
        ),
        "O13": Elsewhere(
            "who edits the database by hand is told by its chain",
            "host/store/test_chain.py::test_an_altered_row_is_found",
        ),
        "A05": Elsewhere(
            "every re-encoding of a message, under its MAC",
            "protocol/test_codec.py::test_the_mac_covers_the_bytes_that_arrived",
        ),
        "A06": Elsewhere("as N22", "host/test_lines.py::test_the_newest_line_that_proves_the_keys_speaks"),
        "A09": Elsewhere(
            "no text from the host is a question: prompts are the terminal's own",
            "terminal/test_hostile_orders.py::test_a_hostile_command_changes_nothing",
        ),
        "A15": Elsewhere(
            "a restored memory of the secure module",
            "firmware_sim/test_secure_module.py::test_a_restored_memory_repeats_no_nonce",
        ),
        "X02": Elsewhere("files are read before any world begins", f"{_LOADER}_the_number_of_values_is_limited"),
        "X03": Elsewhere("as X02", f"{_LOADER}_an_amount_is_written_in_one_way"),
        "X04": Elsewhere("as X02", f"{_LOADER}_one_mistake_is_reported_once_and_where_it_stands"),
        "X05": Elsewhere("as X02", f"{_LOADER}_only_regular_files_are_opened"),
        "X06": Elsewhere("bombs in pictures", "protocol/test_jbig.py::test_bad_input_gets_one_clear_error"),
        "X07": Elsewhere(
            "no text of a user's is run as a pattern",
            "pos_lab/sim/test_catalogue.py::test_no_text_of_a_scenario_is_run_as_a_pattern",
        ),
        "X08": Elsewhere(
            "the API of the office is no part of a world", "host/web/test_api.py::test_a_foreign_page_is_turned_away"
        ),
        "X09": Elsewhere("as X08", "host/web/test_api.py::test_a_hostile_name_stays_text"),
        "X10": Elsewhere(
            "what is exported or logged stays text",
            "pos_lab/test_logs.py::test_a_hostile_name_is_one_line_of_text "
            "host/admin/test_models.py::test_a_model_named_like_a_formula_stays_text_in_the_list",
        ),
        "X11": Elsewhere("as X08: rights and tokens", "host/web/test_rights.py::test_every_route_by_every_role"),
        "X12": Elsewhere(
            "statements have parameters, columns come from a list", "host/web/test_api.py::test_a_search_is_text"
        ),
    }
)
"""Id -> why not in worlds, and what under ``tests/`` shows it."""


def kinds_of(identifier: str) -> Iterator[str]:
    """The kinds of fault that bring a row about."""
    return (name for name, kind in KINDS.items() if identifier in kind.rows.split())
