"""What a sale is refused for besides the gates: its amount, its currency, its card."""

from __future__ import annotations

import pytest

from firmware_sim.cards import TEST_CARDS
from firmware_sim.chip_card import CDOL_1, ChipCard, ChipMemory, Cryptogram
from protocol.codec import unseal
from protocol.elements import Value
from protocol.fields import F
from protocol.tlv import Node, decode, encode, value_of, walk
from tests.host.wire import CREDIT, DEBIT, EXPIRED, POOR, STOLEN, STRANGER, Wire, refusal


@pytest.mark.parametrize(
    ("pan", "amount_fen", "pin", "code", "reason"),
    [
        (DEBIT, 0, "", "13", "amount.zero"),
        (DEBIT, 5_000_000, "", "00", ""),
        (DEBIT, 5_000_001, "", "61", "amount.over_limit"),
        (DEBIT, 10**12 - 1, "", "61", "amount.over_limit"),
        (DEBIT, 100, "123456", "00", ""),
        (DEBIT, 100, "654321", "55", "card.wrong_pin"),
        (POOR, 100, "", "00", ""),
        (POOR, 101, "", "51", "card.no_funds"),
        (STOLEN, 100, "", "43", "card.stolen"),
        (EXPIRED, 100, "", "54", "card.expired"),
        (STRANGER, 100, "", "14", "card.unknown"),
        ("", 100, "", "14", "card.unknown"),
        ("6200000100000005", 100, "", "14", "card.unknown"),
        ("620000010000", 100, "", "14", "card.unknown"),
        ("62000001", 100, "", "14", "card.unknown"),
    ],
)
def test_a_sale_is_answered_by_limits_and_by_the_issuer(
    active: Wire, pan: str, amount_fen: int, pin: str, code: str, reason: str
) -> None:
    """A tester could not provoke the decline that the terminal has to show."""
    reply = active.send(active.sale(amount_fen, pan, pin=pin))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == (code, reason)
    assert active.lab.violations() == []


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({F.CURRENCY: "840"}, "12", "currency.unsupported"),
        ({F.PIN_BLOCK: bytes(8)}, "99", "card.pin_block"),
        ({F.PIN_BLOCK: bytes(range(8))}, "99", "card.pin_block"),
    ],
)
def test_a_field_that_is_off_is_named(active: Wire, changes: dict[int, Value], code: str, reason: str) -> None:
    """A sale in dollars would be booked as yuan."""
    reply = active.send(active.build("sale", active.money(100, DEBIT, active.stan()) | changes))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == (code, reason)


@pytest.mark.parametrize("pan", ["620000010000", "6200000100000004ABC", "62000001", "D", ""])
def test_a_pin_for_something_that_is_no_card_number_is_an_answer(active: Wire, pan: str) -> None:
    """One odd track would be answered as a failure of the host."""
    fields = active.money(100, "", active.stan()) | {F.PIN_BLOCK: bytes(8)}
    if pan:
        fields[F.TRACK2] = f"{pan}D3012"
    assert active.reason(active.build("sale", fields)) == "card.unknown"


LOST, PIN_LOCKED, MAGIC = (TEST_CARDS[name].pan for name in ("lost", "pin_locked", "magic"))


@pytest.mark.parametrize(
    ("pan", "amount_fen", "code", "reason"),
    [
        (LOST, 100, "41", "card.lost"),
        (PIN_LOCKED, 100, "38", "card.pin_locked"),
        (MAGIC, 1051, "51", "issuer.51"),
        (MAGIC, 1068, "68", "issuer.68"),
        (MAGIC, 1011, "11", ""),
        (MAGIC, 1000, "00", ""),
        (TEST_CARDS["forced_a2"].pan, 100, "A2", ""),
        (TEST_CARDS["forced_a7"].pan, 100, "A7", "issuer.a7"),
    ],
)
def test_answers_that_are_forced(active: Wire, pan: str, amount_fen: int, code: str, reason: str) -> None:
    """A tester could not provoke the answer that a merchant asks about."""
    reply = active.send(active.sale(amount_fen, pan))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == (code, reason)
    row = active.lab.rows("transactions", batch=active.batch)[0]
    assert (row["code"], row["state"]) == (code, "captured" if not reason else "declined")
    assert active.lab.violations() == []


def test_three_wrong_pins_lock_one_card(active: Wire) -> None:
    """A thief could try all PINs, or lock the card of somebody else."""
    wrong = [active.reason(active.sale(100, DEBIT, pin="654321")) for _ in range(2)]
    active.sell(100, pin="123456")
    wrong += [active.reason(active.sale(100, DEBIT, pin="654321")) for _ in range(3)]
    assert wrong == ["card.wrong_pin"] * 4 + ["card.pin_locked"]
    assert active.reason(active.sale(100, DEBIT, pin="123456")) == "card.pin_locked"
    active.lab.reopen()
    assert active.reason(active.sale(100, DEBIT, pin="123456")) == "card.pin_locked"
    active.sell(100, CREDIT, pin="123456")


def test_a_repeated_wrong_pin_counts_once(active: Wire) -> None:
    """A bad line would lock the card of an honest customer."""
    payload = active.sale(100, DEBIT, pin="654321")
    for _ in range(5):
        assert active.reason(payload) == "card.wrong_pin"
    active.sell(100, DEBIT, pin="123456")


def chip_sale(
    active: Wire, name: str = "credit", told_fen: int = 6000, *, asked: Cryptogram = Cryptogram.ARQC, **changes: bytes
) -> dict[int, Value]:
    """The fields of a sale for 60.00 yuan by a chip that agreed to ``told_fen``."""
    card = TEST_CARDS[name]
    chip = ChipCard(card, ChipMemory(), tapped=False)
    objects = {tag: bytes(length) for tag, length in CDOL_1} | {0x9F02: bytes.fromhex(f"{told_fen:012d}")}
    answers = chip.start(b"") + chip.request(b"".join(objects[tag] for tag, _ in CDOL_1), asked)
    objects |= {node.tag: node.octets for node in walk(decode(answers)) if not node.children}
    objects |= {int(tag, 16): value for tag, value in changes.items()}
    fields = active.money(6000, card.pan, active.stan())
    return fields | {F.PAN_SEQUENCE: "001", F.ICC: encode(Node(tag, value) for tag, value in objects.items())}


def test_a_chip_gets_its_issuers_proof(active: Wire) -> None:
    """No chip would agree to what the host approved."""
    reply = active.send(active.build("sale", chip_sale(active)))
    assert reply.text(F.RESPONSE_CODE) == "00"
    told = decode(reply.octets(F.ICC))
    assert [node.tag for node in told] == [0x9F36, 0x91]
    assert value_of(told, 0x91)[8:] == b"00"
    refused = active.send(active.build("sale", chip_sale(active, "lost")))
    assert value_of(decode(refused.octets(F.ICC)), 0x91)[8:] == b"41"


@pytest.mark.parametrize(
    ("name", "told_fen", "changes"),
    [
        ("counterfeit", 6000, {}),
        ("credit", 100, {}),
        ("credit", 6000, {"9F26": bytes(8)}),
        ("credit", 6000, {"9F37": b"abcd"}),
        ("credit", 6000, {"9F27": b"\x40"}),
    ],
    ids=["copied chip", "another amount", "no cryptogram", "another number", "no request"],
)
def test_a_cryptogram_that_proves_nothing_is_refused(
    active: Wire, name: str, told_fen: int, changes: dict[str, bytes]
) -> None:
    """A copied card would pay."""
    reply = active.send(active.build("sale", chip_sale(active, name, told_fen, **changes)))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("A7", "card.cryptogram")
    assert not reply.has(F.ICC)
    assert active.lab.rows("transactions", batch=active.batch)[0]["state"] == "declined"


def test_an_offline_sale_proves_that_its_chip_agreed(active: Wire) -> None:
    """A till could upload sales that no card ever made."""
    reply = active.send(active.build("offline_sale", chip_sale(active, asked=Cryptogram.TC)))
    assert (reply.text(F.RESPONSE_CODE), reply.has(F.ICC)) == ("00", False)
    for forged in (chip_sale(active), chip_sale(active, "counterfeit", asked=Cryptogram.TC)):
        assert active.reason(active.build("offline_sale", forged)) == "card.cryptogram"
    assert active.reason(active.build("sale", chip_sale(active, asked=Cryptogram.TC))) == "card.cryptogram"


@pytest.mark.parametrize("chip", [b"\x9f", b"\x9f\x36\x80", bytes(9), encode([Node(0x95, bytes(5))])])
def test_chip_data_that_is_none_is_malformed(active: Wire, chip: bytes) -> None:
    """One broken card would be answered as a failure of the host."""
    assert active.code(active.build("sale", chip_sale(active) | {F.ICC: chip})) == "30"
    assert active.lab.rows("transactions", batch=active.batch) == []


def test_the_track_alone_is_a_card(active: Wire) -> None:
    """Magnetic cards, which send no field 2, would be refused."""
    fields = {k: v for k, v in active.money(100, DEBIT, active.stan()).items() if k != F.PAN}
    assert active.code(active.build("sale", fields)) == "00"
    assert active.lab.rows("transactions", batch=active.batch)[0]["card"] == "620000******0004"


@pytest.mark.parametrize("missing", [F.AMOUNT, F.STAN, F.ENTRY_MODE, F.CONDITION_CODE, F.CURRENCY])
def test_a_missing_field_is_named(active: Wire, missing: int) -> None:
    """The maker of the terminal would not know what to mend."""
    fields = {k: v for k, v in active.money(100, DEBIT, active.stan()).items() if k != missing}
    reply = active.send(active.build("sale", fields))
    assert reply.text(F.RESPONSE_CODE) == "30"
    assert f"field {int(missing)}" in refusal(reply).chinese


def test_an_approval_carries_what_the_slip_needs(active: Wire) -> None:
    """The slip would lack reference, authorisation or date, and the guest could not complain."""
    unsealed = unseal(active.lab.answer(active.sale(1_234, CREDIT)).payload)
    reply = unsealed.message
    assert active.has_good_mac(unsealed)
    assert (reply.mti, reply.text(F.AMOUNT), reply.text(F.TERMINAL_ID)) == ("0210", "000000001234", active.terminal_id)
    assert all(reply.has(number) for number in (F.RRN, F.AUTH_ID, F.LOCAL_TIME, F.LOCAL_DATE, F.ACQUIRER, F.STAN))
    assert reply.text(F.ADDITIONAL_RESPONSE) == "62000002   00019999   "
    assert not reply.has(F.PAN)
    assert not reply.has(F.TRACK2)


def test_reference_numbers_never_come_twice(active: Wire) -> None:
    """Two sales with one reference: the refund of one would be the refund of the other."""
    references = [active.sell(100).rrn for _ in range(20)]
    active.lab.reopen()
    references += [active.sell(100).rrn for _ in range(20)]
    assert len(set(references)) == 40


def test_decimal_amounts_are_what_the_ledger_holds(active: Wire) -> None:
    """A fen would be lost between wire and ledger."""
    for amount_fen in (1, 99, 100, 1999, 4_999_999):
        active.sell(amount_fen)
    rows = active.lab.rows("transactions", batch=active.batch)
    assert [row["amount_fen"] for row in rows] == [1, 99, 100, 1999, 4_999_999]
