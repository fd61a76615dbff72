"""Payloads to messages and back: golden bytes, hostile bytes, and every value that a field can hold."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import pack, seal, unpack, unseal
from protocol.crypto.key import MacKey
from protocol.crypto.mac import cup_ecb_mac
from protocol.dialect import CUP, Dialect
from protocol.dialects import DIALECTS
from protocol.elements import CHINESE, Value
from protocol.errors import DecodeError, EncodeError, ProtocolError
from protocol.fields import FIELDS, F, Form
from protocol.header import ENVELOPE_BYTES, Header, Tpdu, without_lri
from protocol.kinds import MTIS
from protocol.message import Message
from protocol.plan import PATIENCE
from tests.protocol.samples import ECHO, SALE, SAMPLES, leaks

ENVELOPE = "6000030000603200000000"
GOLDEN = {
    "echo": ENVELOPE + "08200000000000C0001036323030303030313130303030303030303030303030310011000000013010",
    "sign_in": ENVELOPE
    + "08000020000000C0001600000136323030303030313130303030303030303030303030310011000000010030"
    + "002553657175656E6365204E6F313230303030504C3030303030310003303120",
    "sale": ENVELOPE
    + "0200702406C030C09A33"
    + "166200000100000004"
    + "000000"
    + "000000006000"
    + "000007"
    + "3012"
    + "0510"
    + "0001"
    + "00"
    + "12"
    + "366200000100000004D3012220000012345678"
    + "0064996200000100000004D156156500000000000000000000000000000000000000"
    + "3632303030303031"
    + "313030303030303030303030303031"
    + "313536"
    + "A1B2C3D4E5F60718"
    + "2600000000000000"
    + "00155A0862000001000000049F3602001E"
    + "002941323032343032303038504C3030303030313033303036303030303034"
    + "001422000001000600"
    + "0003303120"
    + "3546453035384442",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_messages_keep_their_bytes(name: str) -> None:
    """A terminal in the field would no longer be understood after an update of the host."""
    assert seal(SAMPLES[name]).hex().upper() == GOLDEN[name]
    assert unseal(bytes.fromhex(GOLDEN[name])).message == SAMPLES[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_comes_back(name: str) -> None:
    """A value would change on its way from one side to the other."""
    assert unseal(seal(SAMPLES[name])).message == SAMPLES[name]


def test_the_mac_covers_the_bytes_that_arrived() -> None:
    """A message altered on the line would be booked."""
    key = MacKey(range(16))
    payload = seal(SALE, lambda data: cup_ecb_mac(key, data))
    unsealed = unseal(payload)
    assert unsealed.mac_input == payload[ENVELOPE_BYTES:-8]
    assert unsealed.mac == cup_ecb_mac(key, unsealed.mac_input) == payload[-8:]
    assert unseal(seal(ECHO)).mac == unseal(seal(ECHO)).mac_input == b""


BAD_BODIES = [
    ("B16 letters for an MTI", "4F4B" + "00" * 8, "mti", 0),
    ("B17 MTI 0000", "0000" + "00" * 8, "mti", 0),
    ("B18 another version", "9200" + "00" * 8, "mti", 0),
    ("B20 a repeat flag", "0201" + "00" * 8, "mti", 0),
    ("B21 an MTI in EBCDIC", "F0F2F0F0" + "00" * 8, "mti", 0),
    ("B22 letters in a BCD MTI", "02A0" + "00" * 8, "mti", 0),
    ("B23 an empty bitmap", "08200000000000000000", "bitmap", 2),
    ("B24 a full bitmap", "0200" + "FF" * 8 + "00" * 400, "undefined_field", 10),
    ("B25 bit 1 without a second bitmap", "08208000000000C00010" + "00" * 40, "undefined_field", 10),
    ("B28 a field that nobody has", "08200000000000000100" + "00" * 8, "undefined_field", 10),
    ("B31 hex where binary is due", "0820" + b"0000000000C00010".hex(), "truncated", 13),
    ("B32 a bit and no field", "08200000000000C00010" + "30" * 8, "truncated", 18),
    ("B33 a MAC bit and no MAC", "08200000000000800001" + "30" * 8, "truncated", 18),
    ("B15 bytes after the last field", "08200000000000800000" + "30" * 8 + "00", "trailing_bytes", 18),
]


@pytest.mark.parametrize(("name", "digits", "code", "offset"), BAD_BODIES, ids=[row[0] for row in BAD_BODIES])
def test_bad_bodies_get_one_clear_error(name: str, digits: str, code: str, offset: int) -> None:
    """The engineer at the line would have to find the wrong byte by hand."""
    with pytest.raises(DecodeError) as caught:
        unpack(bytes.fromhex(digits))
    assert (caught.value.code, caught.value.offset) == (code, offset)
    assert str(caught.value)


BAD_ENVELOPES = [
    ("B1 nothing", "", "truncated", -11),
    ("B13 too short", "60000300", "truncated", -7),
    ("B13 another TPDU id", "6100030000603200000000", "tpdu", -11),
    ("B13 no header", "6000030000" + "08200000000000C00010", "header", -6),
    ("B13 an application class beyond 63", "6000030000643200000000" + "08200000000000C00010", "header", -6),
    ("two length bytes too many", "0034" + GOLDEN["echo"], "tpdu", -11),
]


@pytest.mark.parametrize(("name", "digits", "code", "offset"), BAD_ENVELOPES, ids=[row[0] for row in BAD_ENVELOPES])
def test_bad_envelopes_get_one_clear_error(name: str, digits: str, code: str, offset: int) -> None:
    """A terminal with another TPDU or header would stay silent and nobody would know why."""
    payload = bytes.fromhex(digits)
    raw = {"truncated": payload, "tpdu": payload[:5], "header": payload[5:11]}[code]
    with pytest.raises(DecodeError) as caught:
        unseal(payload)
    assert (caught.value.code, caught.value.offset, caught.value.raw) == (code, offset, raw)


@pytest.mark.parametrize("name", SAMPLES)
def test_truncation_at_every_byte_says_truncated(name: str) -> None:
    """Half a message would be taken for a whole one, or be blamed on the wrong field."""
    payload = seal(SAMPLES[name])
    for size in range(len(payload)):
        with pytest.raises(DecodeError) as caught:
            unseal(payload[:size])
        assert caught.value.code == "truncated", size
        assert not leaks(str(caught.value))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_flipped_bit_never_does_harm(name: str) -> None:
    """One bad bit on a serial line would stop the host, or show a card number in its log."""
    payload = seal(SAMPLES[name])
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            again = seal(unseal(bytes(flipped)).message)
        except ProtocolError as error:
            told = f"{error} {error!r}"
        else:
            told = ""
            assert again == bytes(flipped)
        assert not leaks(told)


@settings(max_examples=300)
@given(st.binary(max_size=120))
def test_random_bytes_never_do_harm(raw: bytes) -> None:
    """A stranger on the port would stop the host."""
    for body in (raw, bytes.fromhex("0200") + raw):
        try:
            message = unpack(body)
        except DecodeError:
            continue
        assert pack(message) == body


def values(number: int) -> st.SearchStrategy[Value]:
    low, high = FIELDS[number].element.bounds()
    high = min(high, max(low, 40))
    form = FIELDS[number].form
    if form is Form.HEX:
        return st.binary(min_size=low, max_size=high)
    if form is Form.TEXT and FIELDS[number].element.coding is CHINESE:
        return st.text(st.sampled_from("成功已停用 aZ09<\"'&€𠀀"), max_size=high // 4)
    alphabet = {Form.DIGITS: "0123456789", Form.TRACK: "0123456789D", Form.TEXT: "0aZ <\"'&~"}[form]
    return st.text(alphabet, min_size=low, max_size=high)


def messages() -> st.SearchStrategy[Message]:
    fields = st.fixed_dictionaries({}, optional={number: values(number) for number in FIELDS}).filter(bool)
    return st.builds(Message, st.sampled_from(sorted(MTIS)), fields, st.just(Tpdu()), st.just(Header()))


@settings(max_examples=300)
@given(messages())
def test_any_valid_fields_come_back(message: Message) -> None:
    """Some rare value, an empty field or a Chinese name, would break a sale."""
    assert unseal(seal(message)).message == message


ISO_BCD, ISO_ASCII = DIALECTS["iso87-bcd"], DIALECTS["iso87-ascii"]


FIRST_HALF: dict[int, Value] = {11: "000001"}
MAC_CASES = [
    (CUP, {}, 64),
    (CUP, FIRST_HALF, 64),
    (ISO_BCD, FIRST_HALF, 64),
    (ISO_ASCII, FIRST_HALF, 64),
    (ISO_BCD, FIRST_HALF | {70: "301"}, 128),
    (ISO_ASCII, FIRST_HALF | {70: "301"}, 128),
]


@pytest.mark.parametrize(("dialect", "fields", "number"), MAC_CASES)
def test_the_mac_is_the_last_field_of_every_dialect(dialect: Dialect, fields: dict[int, Value], number: int) -> None:
    """Every message of a host with 128 fields would be refused for its MAC."""
    seen: list[bytes] = []

    def mac(covered: bytes) -> bytes:
        seen.append(covered)
        return b"\x01\xab" * 4

    payload = seal(Message("0800", fields), mac, dialect)
    for _ in range(2 * PATIENCE):
        unsealed = unseal(payload, dialect)
        assert (unsealed.mac, [unsealed.mac_input]) == (b"\x01\xab" * 4, seen)
        assert unsealed.message.fields == {**fields, number: unsealed.mac}
        assert pack(unsealed.message, dialect) == payload[ENVELOPE_BYTES:]
        assert unpack(payload[ENVELOPE_BYTES:], dialect).fields == unsealed.message.fields


def test_a_frequent_message_stays_frozen_and_hidden() -> None:
    """A card number would stand in a log, or a handler would change what another one reads."""
    payload = seal(SALE)
    for _ in range(PATIENCE + 2):
        unsealed = unseal(payload)
    message = unsealed.message
    assert message.numbers == tuple(sorted(SALE.fields))
    assert not leaks(f"{unsealed!r} {message!r}")
    assert message == SALE
    assert replace(message, mti="0210").fields == SALE.fields
    for name in ("mti", "fields", "numbers"):
        with pytest.raises(FrozenInstanceError):
            setattr(message, name, None)
    with pytest.raises(FrozenInstanceError):
        unsealed.mac = b""  # type: ignore[misc]
    with pytest.raises(TypeError):
        message.fields[F.PAN] = ""  # type: ignore[index]


def test_a_payload_without_field_is_not_written() -> None:
    """A value that its field cannot carry would leave the terminal as garbage."""
    with pytest.raises(EncodeError):
        seal(ECHO.with_fields({F.AMOUNT: "60.00"}))
    with pytest.raises(EncodeError):
        seal(Message("02", dict(ECHO.fields)))


@pytest.mark.parametrize("broken", [Tpdu(id="61"), Tpdu(source="00"), Tpdu(destination="zzzz")])
def test_a_wrong_tpdu_is_not_written(broken: Tpdu) -> None:
    """A typing mistake in the settings of a terminal would reach the line."""
    with pytest.raises(EncodeError):
        bytes(broken)


@pytest.mark.parametrize("block", [b"", b"LRI" + bytes(range(30)), b"LRI" + b"LRI" * 10], ids=["none", "LRI", "LRIs"])
def test_the_monitoring_block_of_a_dial_up_line_is_stripped(block: bytes) -> None:
    """A shop behind a dial-up concentrator could not pay with one card (CUP 1.6)."""
    payload = seal(SALE)
    assert without_lri(payload[:5] + block + payload[5:]) == payload
    assert without_lri(payload[:5] + block + payload[5:ENVELOPE_BYTES]) == payload[:ENVELOPE_BYTES]


@pytest.mark.parametrize("payload", [b"", bytes(5), bytes(5) + b"LRI", bytes(5) + b"LRI" + bytes(35)], ids=len)
def test_half_a_monitoring_block_is_left_for_the_codec_to_refuse(payload: bytes) -> None:
    """A truncated message would be read from the wrong byte on."""
    assert without_lri(payload) == payload
    with pytest.raises(DecodeError):
        unseal(payload)


def test_the_reply_turns_the_tpdu_and_keeps_the_header() -> None:
    """A reply would go to the wrong terminal behind a concentrator."""
    assert bytes(Tpdu(destination="0003", source="0102").reply()).hex() == "6001020003"
    assert Tpdu.parse(bytes.fromhex("60000A0B0C")).reply() == Tpdu("60", "0B0C", "000A")
    assert bytes(Header(version="31", sub_version="311108").reply("3")).hex() == "603103311108"
    assert bytes(Header(processing_requirement="3").reply()).hex() == "603200000000"
    assert Header.parse(bytes.fromhex("60310031110E")) == Header(version="31", sub_version="31110E")
    with pytest.raises(EncodeError):
        bytes(Header(application_class="59"))


def test_a_message_keeps_its_card_out_of_its_repr() -> None:
    """A log line with the message in it would give the card away."""
    assert not leaks(repr(SALE))
    assert not leaks(repr(unseal(seal(SALE))))


def test_a_message_answers_for_absent_fields() -> None:
    """A host would stop at the first terminal that leaves an optional field out."""
    assert (ECHO.text(F.TEXT), ECHO.octets(F.PAYLOAD), ECHO.has(F.STAN)) == ("", b"", False)
    assert (SALE.text(F.MAC), SALE.octets(F.PAN)) == ("", b"")
    assert SALE.without(F.PAN, F.MAC).with_fields({F.MAC: b"0"}).fields.keys() == SALE.fields.keys() - {F.PAN}
