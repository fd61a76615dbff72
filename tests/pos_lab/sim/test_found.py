"""What seeds have found in host and device, each with its story and, where it takes few lines, the defect alone."""

from __future__ import annotations

import pytest

from firmware_sim.chip import Chip
from firmware_sim.faults import Faults
from firmware_sim.nvram import Nvram
from firmware_sim.power import Power
from host.case import SENT_AGAIN
from host.refusals import REFUSALS
from pos_lab.sim.run import run_seed
from pos_lab.sim.world import Scale
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.responses import RESPONSES, Action


def test_what_is_sent_again_is_not_answered_as_before() -> None:
    """An offline sale would never be booked: told once to sign on or to download first, it heard so for ever.

    Seed 122 (adversary): rules came into force that want tables downloaded; the sale was answered 77, the terminal
    signed on and downloaded, and got the stored 77 each time that it sent the same sale again.
    """
    refused = REFUSALS["terminal.parameters_old"]
    assert RESPONSES[refused.code].action is Action.SIGN_ON_AGAIN
    assert refused.code in SENT_AGAIN


def test_one_bad_cell_does_not_keep_a_blank_memory_from_starting() -> None:
    """A device whose battery died would be scrap for one bit that did not take at its first boot.

    Seed 369 (power): the memory was blank, a cell was stuck once as it was formatted, and formatting was tried once.
    """
    power, faults = Power(), Faults()
    power.switch_on()
    faults.arm("journal.stuck_bit")
    memory = Nvram(Chip(64 * 1024, name="journal"), power, faults=faults)
    memory.append(b"a sale")
    assert not faults.armed
    assert memory.records() == (b"a sale",)


@pytest.mark.parametrize(
    ("seed", "profile"), [(122, "adversary"), (369, "power"), (404, "everything"), (30, "everything")]
)
def test_seeds_that_found_something_pass(seed: int, profile: str) -> None:
    """What was mended once would come back."""
    assert run_seed(seed, profile, scale=Scale(2, 20)).passed


@pytest.mark.parametrize("seed", [22, 162, 258, 415])
def test_seeds_that_misled_the_examiner_or_a_cashier_pass(seed: int) -> None:
    """Honest hosts would be found fault with, and nobody would listen to the examiner any more.

    22 (adversary): a stranger's copy of a question that was answered counted as taking a line over (I6).
    162 (network): a cashier never ended a training that stood in the way of an exchange (D3).
    258 (network): what was written until the power went counted as written by the boot (J9).
    415 (everything): a backup was sealed under a master key that is no more, and nobody came with the new one (D3).
    """
    assert run_seed(seed).passed


@pytest.mark.parametrize(("seed", "profile"), [(1870, "network"), (2475, "power"), (2728, "power")])
def test_a_host_is_not_accused_of_what_a_device_took_with_it(seed: int, profile: str) -> None:
    """An examiner who accuses an honest host of a void would be believed no more when a sale is really gone.

    1870: the answer to a void was cut short, and the merchant reported the device lost before it could reverse.
    2475: the power went on the answer to a void, and the battery died before the terminal had started again.
    2728: a device settled, was exchanged at once, and the next one let a hold of the settled batch go.
    """
    assert not run_seed(seed, profile).violations


def test_a_hold_of_a_device_that_forgot_everything_runs_out() -> None:
    """An examiner who accuses a host of a hold that ran out would be believed no more when a sale is really gone.

    Seed 31080 (power): a device forgot everything and was replaced, so that the host alone closed its batch; the next
    one wanted to complete a hold of that batch weeks later (M1).
    """
    assert not run_seed(31080, "power", scale=Scale(2, 14)).violations


@pytest.mark.parametrize(("seed", "profile"), [(943, "network"), (2766, "everything"), (4057, "power")])
def test_a_merchants_last_word_is_not_the_last_that_arrives(seed: int, profile: str) -> None:
    """A shop that sells would be refused by the host for a pause that is over, and nobody at the counter knows of it.

    943: a line held a pause back for 86 s, and it arrived behind the resume; the host held the terminal for ever.
    2766, 4057: the merchant paused at an old device whose backup was with the host already; the hold went with the
    till, and the new device believed the backup.
    """
    assert not run_seed(seed, profile).violations


def test_a_device_whose_predecessor_knew_of_no_pause_knows_of_none() -> None:
    """An honest till would be accused of having forgotten what nobody told it.

    Seed 36322 (power): a device that replaced a paused one knew nothing of the pause, and neither did the one that took
    over from it by a swap; the merchant had not resumed, and the host's word stood (L8).
    """
    assert run_seed(36322, "power", scale=Scale(2, 14)).passed


def test_lines_that_died_without_a_word_are_counted_apart() -> None:
    """A busy shop on a bad network would be taken for a host that keeps every line.

    Seed 500039 (network): ten of the lines of one shop had died within the half hour in which nobody can know (D2).
    """
    assert run_seed(500039, "network", scale=Scale(3, 60)).passed


def test_a_stranger_who_opens_a_connection_is_two_tasks() -> None:
    """A host that is attacked would be accused of what the attackers do.

    Seed 45732 (everything): nine of thirteen strangers were connecting at one instant (D2).
    """
    assert run_seed(45732, "everything", scale=Scale(2, 14)).passed


def test_an_answer_is_dated_as_it_was_decided() -> None:
    """An honest till would be accused of a command that came while the host's clock was moved on.

    Seed 76878 (storage): a slow disk held the answer to a sale back while years passed; it tells of none of them (C3).
    """
    assert run_seed(76878, "storage", scale=Scale(2, 14)).passed


@pytest.mark.parametrize(("seed", "profile"), [(135318, "network"), (154001, "everything")])
def test_another_copy_of_a_command_is_not_the_one_that_was_taken(seed: int, profile: str) -> None:
    """An honest till would be accused of a command that nobody signed, or not for it.

    135318: the answer with the command came twice, and the second copy had changed on the way (C1).
    154001: the second copy had the command of another terminal, which says the same (C3).
    """
    assert run_seed(seed, profile, scale=Scale(2, 14)).passed


def test_a_signature_was_tried_as_often_as_a_rewritten_journal_says() -> None:
    """An honest till would be accused of giving a signature up too soon.

    Seed 148723 (everything): the journal was compacted behind the third try, before anybody had looked (G3).
    """
    assert run_seed(148723, "everything", scale=Scale(2, 14)).passed


def test_a_sale_of_a_lost_device_may_be_unsigned() -> None:
    """An honest till would be accused of what its thief did not sign.

    Seed 87127 (everything): the power went as a sale was approved, and the device was reported lost (G1).
    """
    assert run_seed(87127, "everything", scale=Scale(2, 14)).passed


def test_a_new_device_answers_for_its_own_boots() -> None:
    """An examiner who takes one device's boot for another's accuses a terminal that has done its duty.

    Seed 2984 (power): the new device had written as many records as the old one when that was last switched on (J9).
    """
    assert not run_seed(2984, "power").violations


@pytest.mark.parametrize(("seed", "profile"), [(778, "adversary"), (2652, "storage"), (2706, "network")])
def test_what_was_right_in_its_time_is_no_fault_later(seed: int, profile: str) -> None:
    """An examiner who judges by what books and clocks say afterwards accuses a host that did as it should.

    778: a recorded request got the refusal that was kept for it, with the turnover of a device that was replaced (L3).
    2652: a slow disk took the sale that activates and its reversal in one commit (L2).
    2706: the host's clock was moved on by years while a command was on its way (C3).
    """
    assert not run_seed(seed, profile).violations


@pytest.mark.parametrize(("seed", "profile"), [(631, "everything"), (1801, "network")])
def test_a_line_that_was_given_up_takes_nothing_from_the_next(seed: int, profile: str) -> None:
    """What comes late on a line that a till gave up would take it from the line on which it sells (I6).

    On the line that was given up the till had said again what the host had decided, and nothing else: the host thought
    it as good as a new one, served it beside the one that had taken over, and let it take over from that.
    """
    assert not run_seed(seed, profile).violations


def test_old_keys_die_however_the_first_question_under_the_new_is_answered() -> None:
    """Keys that were replaced because somebody may know them would be good until the next request that is not a copy.

    Seed 1526 (network): the first that a terminal asked behind its sign-on was the settlement of before (K2).
    """
    assert not run_seed(1526, "network").violations


def test_a_replaced_device_may_undo_what_it_began() -> None:
    """An examiner who accuses a host of taking back what nobody can have been sold would be believed no more.

    Seed 4134 (adversary): the old device reversed a sale of a batch that was closed; the host's own row for that has a
    number that no device asked under (C1), and the name of a device that is no more in service (W2).
    """
    assert not run_seed(4134, "adversary").violations


def test_a_lost_device_on_hold_may_undo_what_it_began_and_is_refused_as_often_as_it_asks() -> None:
    """An examiner who accuses a host of giving a customer his money back would be believed no more.

    Seed 21325 (adversary): a device on hold for arrears was reported lost, and reversed a sale of the batch that was
    closed for it (L4); and each copy of what it asked then was refused under an RRN of its own, since the number may be
    its successor's (I1).
    """
    assert not run_seed(21325, "adversary", scale=Scale(2, 14)).violations


def test_a_till_is_handed_on_though_a_lost_device_has_undone_a_sale_meanwhile() -> None:
    """An examiner who accuses a host of leaving money behind that it pays would be believed no more.

    Seed 700115 (adversary): the host took a sale of a closed batch back for a device that was lost, by a row of its own
    in the batch that was open, and no device can settle such a row; the till went on, and the batch was closed (W1).
    """
    assert not run_seed(700115, "adversary", scale=Scale(2, 14)).violations


def test_a_till_that_was_handed_on_by_a_host_that_died_is_sold_on() -> None:
    """A shop would be given up, and the proof be asked for what only its lost device could undo.

    Seed 23579 (storage): the host died behind the commit that replaced a lost device, and said no when it was asked
    again; nobody sold at the till any more, and its last void stayed to be reversed (M15).
    """
    result = run_seed(23579, "storage", scale=Scale(2, 14))
    assert result.passed
    assert result.markers["device_written_off"]


def test_a_recorded_pause_closes_no_shop() -> None:
    """Whoever recorded a pause could close the shop again, and the terminal would believe that it is open.

    Seed 4 (adversary): instead of the merchant's resume the request before came again, his pause, which nothing but its
    keys bound to its place; the host held the terminal, and its answer passed for that to the resume (L8).
    """
    assert not run_seed(4, "adversary").violations
    assert F.STAN in KINDS["pause"].request.must


@pytest.mark.parametrize("seed", [14765, 17628, 19285, 27916, 201856])
def test_memory_that_takes_nothing_more_is_told_and_read(seed: int) -> None:
    """A till whose memory wears out would crash at its settlement, or never start again, with its sales inside.

    Seeds 14765, 19285, 27916 and 17628 (power): memory that could not be erased any more, and behind its last record
    the torn part of another, so that nothing could be put there; a settlement raised (D4), and the boot of 17628 (J5).
    Seed 201856 (power): the same, with memory that only showed in the boot that it was worn.
    """
    assert run_seed(seed, "power", scale=Scale(2, 14)).passed


def test_a_world_outside_which_nothing_happens_any_more_goes_on() -> None:
    """A run of days would stand still for ever at one seed, and say nothing.

    Seed 34115 (storage): the office had nothing to do and went home, and the world did nothing but look for it again.
    """
    result = run_seed(34115, "storage", scale=Scale(2, 14))
    assert result.passed
    assert result.virtual_s > 1_000


@pytest.mark.parametrize("seed", [17702, 42570])
def test_a_sign_on_whose_batch_changed_on_the_way_stops_no_shop(seed: int) -> None:
    """One bit in a message without MAC would stop a shop until the acquirer has compared its books.

    Seed 17702 (network): a sign-on arrived as one of batch 000101 instead of 000001; the host took the terminal for one
    that is ahead of its books, and let it neither sell nor settle (D3). 42570 (network): so at the very first one.
    """
    assert run_seed(seed, "network", scale=Scale(2, 14)).passed


@pytest.mark.parametrize(
    ("seed", "profile"),
    [
        (5524, "network"), (5583, "network"), (6899, "power"), (47407, "network"), (69168, "everything"),
        (131086, "network"),
    ],
)  # fmt: skip
def test_seeds_of_a_cable_and_of_keys_that_part_pass(seed: int, profile: str) -> None:
    """A swap or a reversal would stand still for ever, and an honest host be accused of letting MACs be guessed.

    6899: the keys of the sign-on that a reversal needs could not be loaded, and the cashier was told of the reversal
    alone: nobody brought a key card (D3).

    5583: the reply to a sign-on was lost, so that the host held other keys than the old device of a swap: it could
    prove nothing to it any more, and the device asked on under its old keys (D3).
    47407: two sign-ons of the old device were heard and their replies were not; the host forgot the keys that it had,
    though it had spoken under them in between, and a device that was replaced may not sign on to be wiped (D3).
    69168: the old device's sign-off was heard and not answered, so that the host had none of its keys any more (D3).
    131086: the end of a backup came when the device had begun another one, and it took the order for another's (D3).
    5524: on a cable, which cannot be cut, a session ends and begins anew in place (C4).
    """
    assert run_seed(seed, profile, scale=Scale(2, 14)).passed


def test_a_bare_copy_is_not_answered_as_what_was_proven() -> None:
    """Dead keys would speak once more, to whoever recorded what they had proven.

    Seed 4464 (adversary): a status upload came again without its MAC, behind another sign-on, and got the stored reply
    as it was (K2).
    """
    assert run_seed(4464, "adversary", scale=Scale(2, 14)).passed


def test_an_order_that_waits_keeps_no_table_back() -> None:
    """A shop would sell and settle no more: what must be updated had to settle first, which needed tables first.

    Seed 173432 (network): an update waited for an offline sale, the sale was refused for the lack of tables, and the
    host spoke of nothing but the update (D3).
    """
    assert run_seed(173432, "network", scale=Scale(2, 14)).passed


def test_a_settlement_waits_for_keys() -> None:
    """A shop would settle no more, and sell no more, for one bit that changed on the line.

    Seed 117655 (network): another master key came while a settlement was under way; the next sale sent it without a
    MAC, its totals changed on the way, and the host kept its answer to them under the STAN of the settlement (D3).
    """
    assert run_seed(117655, "network", scale=Scale(2, 14)).passed


def test_a_wipe_is_finished_whatever_becomes_of_the_successor() -> None:
    """Half of the keys of a shop would lie in a drawer, and nobody would look.

    Seed 113244 (power): the power went in a wipe, then the new device was opened and replaced; nobody in the shop
    switched the old one on again (K4).
    """
    assert run_seed(113244, "power", scale=Scale(2, 14)).passed


def test_an_upload_whose_end_was_not_heard_of_comes_to_it() -> None:
    """A shop whose line failed behind a batch upload could settle no more, and sell no more.

    Seed 3045 (network): a supervisor dropped a reversal of what the host had captured, the books differed, and the
    answer to the end of the upload was lost; the terminal began it again, of a batch that the host had closed (D3).
    """
    result = run_seed(3045, "network")
    assert result.passed
    assert (result.fired["operator.clears"], result.markers["books_differed"]) == (1, 1)


def test_a_commit_of_the_stores_own_leaves_no_doubt_about_what_waits_behind_it() -> None:
    """An honest host would be accused of an answer whose commit it knows.

    Seed 42074 (storage): the disk failed under what a store writes where it opens its connection anew; the sign-on that
    waited for it was decided after that, and its own commit held (J6).
    """
    assert run_seed(42074, scale=Scale(2, 14)).passed


def test_a_copy_of_a_sale_that_wanted_a_sign_on_first_is_not_captured() -> None:
    """A guest would be charged for a sale that the till had refused, and nobody would know of it.

    Seed 305135 (network, 3 shops of 60): tests/host/test_duplicates.py has what happened.
    """
    assert run_seed(305135, "network", scale=Scale(3, 60)).passed
