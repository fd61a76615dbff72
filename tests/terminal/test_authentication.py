"""Offline data authentication: genuine cards prove themselves, and what is wrong with the others is told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from firmware_sim.card_reader import ChipLink
from firmware_sim.cards import TEST_CARDS, Card, Proof
from firmware_sim.chip_card import ChipCard, ChipMemory
from firmware_sim.errors import CardError
from firmware_sim.faults import Faults
from firmware_sim.power import Power
from host.downloads import CONTENTS
from protocol.crypto.lab_ca import REVOKED
from protocol.fields import F
from protocol.tlv import Node, decode, encode, value_of, walk
from terminal.book import Book, Downloaded
from terminal.chip_objects import terminal_objects
from terminal.chip_rules import ISSUERS_DEFAULT, ActionCodes, is_denied, may_stay_offline
from terminal.downloads import chip_rules
from terminal.emv_kernel import ChipTransaction
from terminal.settings import Settings
from tests.terminal.bench import Bench, bench_at
from tests.terminal.fake_host import FakeHost
from tests.terminal.test_downloads import TablesHost

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = Settings(terminal_id="10000001", merchant_id="898100000000001")


def begin(
    card: Card,
    *,
    offline: bool = True,
    tapped: bool = False,
    now: datetime = NOW,
    book: Book | None = None,
    settings: Settings = SETTINGS,
    spoil: Callable[[ChipLink], None] = lambda link: None,
) -> ChipTransaction:
    """A transaction of a card."""
    power = Power()
    power.switch_on()
    link = ChipLink(power, Faults(), ChipCard(card, ChipMemory(), tapped=tapped), tapped=tapped)
    spoil(link)
    objects = terminal_objects(
        amount_fen=6000,
        now=now,
        serial_number="PXE9000000001",
        unpredictable=b"\1\2\3\4",
        country="156",
        currency="156",
        terminal_type="22",
        capabilities=settings.terminal_capabilities,
    )
    rules = chip_rules(book or Book(), settings)
    return ChipTransaction(link, objects, now=now, tapped=tapped, verify=False, rules=rules, offline=offline)


def kept(chip: ChipTransaction) -> tuple[str, str, str]:
    """Kind of the cryptogram, verification results, status information."""
    objects = {node.tag: node.octets.hex().upper() for node in decode(bytes.fromhex(chip.kept))}
    return objects[0x9F27], objects[0x95], objects[0x9B]


TC, AAC, ARQC = "40", "00", "80"
PLAIN = next(spelt for spelt in map(str, CONTENTS["applications"]) if "A000000333010102" in spelt)
STRICT = PLAIN.replace("DF13050010000000", "DF13050800000000")
OFFLINE = {
    "credit": ("", TC, "0000000000", "E800"),
    "static": ("", TC, "0000000000", "E800"),
    "combined": ("", TC, "0000000000", "E800"),
    "unproven": ("", AAC, "8000000000", "6800"),
    "altered": ("forged", AAC, "0800000000", "E800"),
    "counterfeit": ("forged", AAC, "0800000000", "E800"),
    "copied": ("forged", AAC, "0400000000", "E800"),
    "ca_expired": ("ca_key_expired", AAC, "0800000000", "E800"),
    "ca_unknown": ("ca_key_unknown", AAC, "0800000000", "E800"),
    "revoked": ("certificate_revoked", AAC, "0800000000", "E800"),
}


@pytest.mark.parametrize("name", OFFLINE)
def test_only_a_proven_chip_is_sold_to_offline(name: str) -> None:
    """Who copies a card would shop without money wherever nobody asks the issuer."""
    chip = begin(TEST_CARDS[name])
    approved = chip.approves("000002")
    assert (chip.fault, *kept(chip)) == OFFLINE[name]
    assert approved is (OFFLINE[name][1] == TC)


@pytest.mark.parametrize("name", OFFLINE)
def test_online_the_issuer_decides(name: str) -> None:
    """A card would be refused of which only its issuer can say whether it is good; but not one that signs falsely."""
    chip = begin(TEST_CARDS[name], offline=False)
    if name == "copied":
        with pytest.raises(CardError) as refused:
            chip.request("000002", with_pin=False)
        assert refused.value.code == "card_forged"
        assert kept(chip)[0] == AAC
        return
    chip.request("000002", with_pin=True)
    fault, _, results, status = OFFLINE[name]
    assert (chip.fault, *kept(chip)) == (fault, ARQC, f"{results[:4]}0480{results[8:]}", status)


def overrules(kind: str) -> Callable[[ChipLink], None]:
    """A chip that makes ``kind`` of cryptogram, hexadecimal, whatever it was asked for."""

    def spoil(link: ChipLink) -> None:
        ask, end, told = link.request, link.complete, bytes.fromhex(f"9F2701{kind}")

        def changed(answer: bytes) -> bytes:
            return answer.replace(bytes.fromhex("9F270100"), told)

        link.request = lambda *given, **named: changed(ask(*given, **named))  # type: ignore[method-assign]
        link.complete = lambda *given, **named: changed(end(*given, **named))  # type: ignore[method-assign]

    return spoil


@pytest.mark.parametrize("name", ["unproven", "altered", "ca_unknown"])
@pytest.mark.parametrize("kind", [TC, ARQC])
def test_no_chip_overrules_the_terminal_offline(name: str, kind: str) -> None:
    """A home-made chip that says TC to everything would shop wherever nobody asks the issuer (EMV Book 3, 9.3)."""
    with pytest.raises(CardError) as refused:
        begin(TEST_CARDS[name], spoil=overrules(kind)).approves("000002")
    assert refused.value.code == "chip_data"


def test_a_forged_signature_is_not_healed_by_a_second_word() -> None:
    """A copy with a chip of its own would be sold to, for it answers the refusal with a TC."""
    chip = begin(TEST_CARDS["copied"], spoil=overrules(TC))
    assert (chip.approves("000002"), chip.fault) == (False, "forged")


def test_no_chip_goes_online_that_is_denied() -> None:
    """The action codes of the acquirer would bind only honest chips."""
    denied = begin(TEST_CARDS["altered"], offline=False, book=downloaded(applications=[STRICT]), spoil=overrules(ARQC))
    with pytest.raises(CardError) as refused:
        denied.request("000002", with_pin=False)
    assert refused.value.code == "chip_data"


@pytest.mark.parametrize(
    ("name", "fault"),
    [("combined", ""), ("debit", ""), ("copied", "forged")],
)
def test_a_tap_proves_itself_in_one_go(name: str, fault: str) -> None:
    """A copied card could be tapped wherever nobody asks the issuer (fDDA)."""
    chip = begin(TEST_CARDS[name], tapped=True)
    assert (chip.fault, kept(chip)[0]) == (fault, TC)
    assert chip.approves("000002") is (not fault)


def test_a_tap_that_goes_online_proves_nothing_itself() -> None:
    """A queue would wait for proofs that the issuer makes needless."""
    chip = begin(TEST_CARDS["combined"], tapped=True, offline=False)
    chip.request("000002", with_pin=False)
    assert kept(chip) == (ARQC, "0000000000", "0000")
    assert not begin(replace(TEST_CARDS["debit"], proof=Proof.NONE), tapped=True).approves("000002")


CHANGED: dict[str, tuple[Card, datetime, str]] = {
    "an expired certificate": (replace(TEST_CARDS["credit"], certified_until="2602"), NOW, "certificate_expired"),
    "the last month of a certificate": (replace(TEST_CARDS["credit"], certified_until="2603"), NOW, ""),
    "the day after the CA key": (TEST_CARDS["credit"], datetime(2036, 1, 1, tzinfo=UTC), "ca_key_expired"),
    "altered static data": (replace(TEST_CARDS["static"], altered=True), NOW, "forged"),
    "a copy with static data": (replace(TEST_CARDS["static"], genuine=False), NOW, ""),
    "the longer CA key": (replace(TEST_CARDS["credit"], ca_index=2), NOW, ""),
}


@pytest.mark.parametrize("name", CHANGED)
def test_every_link_of_the_chain_counts(name: str) -> None:
    """One link that nobody looks at would make the others worthless."""
    card, now, fault = CHANGED[name]
    assert begin(card, now=now).fault == fault


def swapped(tag: int, other: str) -> Callable[[ChipLink], None]:
    """Records in which an object is another card's, or missing."""

    def spoil(link: ChipLink) -> None:
        real = link.records
        theirs = {
            node.tag: node.octets
            for node in walk(
                decode(ChipCard(TEST_CARDS[other], ChipMemory(), tapped=False).records() if other else b"")
            )
        }

        def records() -> bytes:
            (template,) = decode(real())
            nodes = [
                Node(node.tag, theirs[tag]) if node.tag == tag else node
                for node in template.children
                if node.tag != tag or tag in theirs
            ]
            return encode([Node(0x70, tuple(nodes))])

        link.records = records  # type: ignore[method-assign]

    return spoil


@pytest.mark.parametrize(
    ("tag", "other", "fault"),
    [
        (0x9F46, "", "no_data"), (0x90, "", "no_data"), (0x8F, "", "no_data"), (0x9F48, "", "forged"),
        (0x92, "", "forged"), (0x9F46, "combined", "forged"), (0x90, "revoked", "certificate_revoked"),
        (0x90, "debit", "other_card"),
        (0x8F, "ca_unknown", "ca_key_unknown"), (0x9F49, "", ""), (0x9F4A, "", "forged"),
    ],
)  # fmt: skip
def test_a_chip_that_carries_the_wrong_thing(tag: int, other: str, fault: str) -> None:
    """A card put together from two others would prove itself, or a broken one crash the till."""
    chip = begin(TEST_CARDS["credit"], spoil=swapped(tag, other))
    assert chip.fault == fault
    assert not chip.approves("000002") or not fault
    assert (kept(chip)[1][:2] == "28") is (fault == "no_data")


def test_a_list_of_static_data_that_may_not_be() -> None:
    """A card could leave out of its signature what it has changed."""

    def spoil(link: ChipLink) -> None:
        real = link.records
        link.records = lambda: real().replace(b"\x9f\x4a\x01\x82", b"\x9f\x4a\x01\x5a")  # type: ignore[method-assign]

    assert begin(TEST_CARDS["credit"], spoil=spoil).fault == "no_data"


def test_a_chip_without_a_signature_of_its_cryptogram() -> None:
    """Whoever sits between card and reader could turn a refusal into an approval (CDA)."""

    def spoil(link: ChipLink) -> None:
        real = link.request

        def request(data: bytes, *asked: object, combined: bool = False) -> bytes:
            return real(data, *asked, combined=False)  # type: ignore[arg-type]

        link.request = request  # type: ignore[method-assign]

    chip = begin(TEST_CARDS["combined"], spoil=spoil)
    assert not chip.approves("000002")
    assert (chip.fault, *kept(chip)) == ("forged", AAC, "0400000000", "E800")


def test_a_signature_of_another_cryptogram() -> None:
    """A cryptogram could be replaced behind the card's back (CDA)."""

    def spoil(link: ChipLink) -> None:
        real = link.request

        def request(data: bytes, *asked: object, combined: bool = False) -> bytes:
            (template,) = decode(real(data, *asked, combined=combined))  # type: ignore[arg-type]
            nodes = [Node(node.tag, bytes(8)) if node.tag == 0x9F26 else node for node in template.children]
            return encode([Node(0x77, tuple(nodes))])

        link.request = request  # type: ignore[method-assign]

    chip = begin(TEST_CARDS["combined"], spoil=spoil)
    assert not chip.approves("000002")
    assert chip.fault == "forged"


@pytest.mark.parametrize(("security", "results"), [("C0", "00"), ("80", "80"), ("00", "80"), ("40", "00")])
def test_the_terminal_asks_for_what_it_can(security: str, results: str) -> None:
    """A terminal that knows no CDA would refuse every card that does."""
    settings = SETTINGS.model_copy(update={"terminal_capabilities": f"E068{security}"})
    chip = begin(TEST_CARDS["combined"], settings=settings)
    chip.approves("000002")
    assert (chip.fault, kept(chip)[1][:2]) == ("", results)


def downloaded(**tables: list[str]) -> Book:
    """A book with downloads as the host lists them."""
    names = {"ca_keys": (0x9F06, 0x9F22), "applications": (0x9F06,)}
    return Book(
        downloads={
            name: Downloaded(
                name=name,
                at=0,
                version="1",
                items={
                    "".join(
                        node.octets.hex().upper()
                        for tag in names[name]
                        for node in decode(bytes.fromhex(spelt))
                        if node.tag == tag
                    ): spelt
                    for spelt in listed
                },
            )
            for name, listed in tables.items()
        }
    )


def test_the_keys_that_were_downloaded_count() -> None:
    """A key that the acquirer takes back would go on proving cards."""
    keys = [str(spelt) for spelt in CONTENTS["ca_keys"]]
    assert begin(TEST_CARDS["credit"], book=downloaded(ca_keys=keys)).fault == ""
    assert begin(TEST_CARDS["credit"], book=downloaded(ca_keys=keys[1:])).fault == "ca_key_unknown"
    assert begin(TEST_CARDS["ca_expired"], book=downloaded(ca_keys=keys)).fault == "ca_key_expired"


def test_the_action_codes_that_were_downloaded_count() -> None:
    """The acquirer could not tell its terminals what to refuse."""
    assert STRICT != PLAIN
    with pytest.raises(CardError) as refused:
        begin(TEST_CARDS["altered"], offline=False, book=downloaded(applications=[STRICT])).request(
            "000002", with_pin=False
        )
    assert refused.value.code == "card_refused"
    chip = begin(TEST_CARDS["altered"], offline=False, book=downloaded(applications=[PLAIN]))
    chip.request("000002", with_pin=False)
    short = PLAIN.replace("DF13050010000000", "DF130108")
    chip = begin(TEST_CARDS["altered"], offline=False, book=downloaded(applications=[short]))
    chip.request("000002", with_pin=False)  # codes of another length are none


def test_revoked_certificates_are_a_setting() -> None:
    """A certificate that is called back tomorrow would go on proving cards."""
    assert REVOKED in SETTINGS.revoked
    settings = SETTINGS.model_copy(update={"revoked": ("A00000033301000001",)})
    assert begin(TEST_CARDS["credit"], settings=settings).fault == "certificate_revoked"
    assert begin(TEST_CARDS["revoked"], settings=settings).fault == ""


CODES = ActionCodes(default=b"\x08\0\0\0\0", denial=b"\0\x10\0\0\0", online=b"\x88\0\0\0\0")


@pytest.mark.parametrize(
    ("results", "denied", "offline"),
    [
        ("0000000000", False, True), ("8000000000", False, True), ("0800000000", False, False),
        ("0010000000", True, False), ("0000000001", False, True),
    ],
)  # fmt: skip
def test_terminal_action_analysis(results: str, denied: bool, offline: bool) -> None:
    """The acquirer's limits would be read wrongly, one way or the other."""
    assert is_denied(bytes.fromhex(results), CODES) is denied
    assert may_stay_offline(bytes.fromhex(results), CODES) is offline


def test_a_chip_without_action_codes_wants_everything_online() -> None:
    """What its issuer never allowed would be sold offline."""
    assert may_stay_offline(bytes(5), ISSUERS_DEFAULT)
    assert not may_stay_offline(b"\0\0\0\0\1", ISSUERS_DEFAULT)
    assert not is_denied(b"\xff" * 5, ISSUERS_DEFAULT)


# at the counter


async def signed_on(bench: Bench) -> None:
    assert (await bench.do("sign_in")).is_good


async def test_the_slip_of_an_offline_sale_has_its_certificate(bench: Bench) -> None:
    """The shop could not prove in a dispute that the card agreed."""
    await signed_on(bench)
    sold = await bench.do("offline_sale", "10.00", "credit")
    told = dict(line.split(": ", 1) for line in sold.receipt_en if ": " in line)
    assert (told["APP"], told["AID"], told["TVR"], told["TSI"]) == (
        "LAB CREDIT", "A000000333010102", "0000000000", "E800",
    )  # fmt: skip
    assert len(told["TC"]) == 16
    online = await bench.do("sale", "10.00", "debit")
    assert any(line.startswith("ARQC: ") for line in online.receipt_en)
    uploaded = bench.host.asked("offline_sale")[0]
    assert value_of(decode(uploaded.octets(F.ICC)), 0x9F26).hex().upper() == told["TC"]
    assert uploaded.text(F.PAN_SEQUENCE) == "001"
    assert bench.captured() == bench.host.captured()


@pytest.mark.parametrize(("name", "why"), [("altered", "forged"), ("revoked", "certificate_revoked"), ("unproven", "")])
async def test_what_is_declined_offline_is_no_sale(bench: Bench, name: str, why: str) -> None:
    """A forged card would take the goods, and the shop bear the loss."""
    await signed_on(bench)
    outcome = await bench.do("offline_sale", "10.00", name)
    assert (outcome.result, outcome.reason, outcome.detail["why"]) == ("refused", "terminal.offline_declined", why)
    cryptogram = {node.tag: node.octets for node in decode(bytes.fromhex(outcome.detail["chip"]))}
    assert cryptogram[0x9F27] == b"\0"
    assert bench.terminal.book.rows == {}
    noted = [event.detail for event in bench.terminal.book.events if event.what == "chip not proven"]
    masked = TEST_CARDS[name].pan
    assert noted == ([f"{masked[:6]}******{masked[-4:]}: {why}"] if why else [])


async def test_a_forged_chip_does_not_reach_the_host(bench: Bench) -> None:
    """The issuer would be asked about a card that has been found out already."""
    await signed_on(bench)
    outcome = await bench.do("sale", "60.00", "copied:insert")
    assert (outcome.result, outcome.reason) == ("refused", "terminal.card_forged")
    assert bench.host.asked("sale") == []


async def test_a_key_that_is_taken_back_is_gone_at_the_next_card() -> None:
    """A download would wait for the next power-on."""
    async with bench_at(TablesHost(ca_keys=CONTENTS["ca_keys"][1:])) as bench:  # type: ignore[index]
        await signed_on(bench)
        assert (await bench.do("offline_sale", "10.00", "credit")).result == "approved"
        assert (await bench.do("download", "ca_keys")).result == "done"
        outcome = await bench.do("offline_sale", "10.00", "credit")
        assert outcome.detail["why"] == "ca_key_unknown"


async def test_an_offline_tap() -> None:
    """A canteen could not take taps while its line is down."""
    async with bench_at(FakeHost()) as bench:
        await signed_on(bench)
        assert (await bench.do("offline_sale", "10.00", "combined:tap")).result == "approved"
        outcome = await bench.do("offline_sale", "10.00", "copied:tap")
        assert (outcome.reason, outcome.detail["why"]) == ("terminal.offline_declined", "forged")
