"""TABLE CONTENTS: what may stand in a field of a request, and what real terminals put there."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator

import pytest

from host.lifecycle import ALL_KINDS
from host.refusals import Refused
from host.wellformed import CONTENTS, SANE, wrong_content
from protocol.checks import CHECKS
from protocol.codec import unseal
from protocol.elements import Value
from protocol.emv import decode_chip_data
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.kinds import KINDS, Identity, identify
from protocol.message import Message
from tests.end_to_end.test_raw_host import payload_of
from tests.host.wire import Wire, refusal
from tests.protocol.bad_inputs import SOUND_CHIP_DATA
from tests.vectors import Vector, shared_vectors

SALE = KINDS["sale"]
LEAP_YEAR = 2028
DAYS = {f"{month:02d}{day + 1:02d}" for month in range(1, 13) for day in range(monthrange(LEAP_YEAR, month)[1])}
NUMBERS = {f"{number:04d}" for number in range(10_000)}


def refused(number: int, value: Value) -> Refused | None:
    """What the host says to a sale with this field."""
    return wrong_content(SALE, Message("0200", {number: value}))


def test_a_day_is_one_that_some_year_has() -> None:
    """A sale on the 31st of April would be looked for in the books in vain."""
    assert {date for date in NUMBERS if refused(F.LOCAL_DATE, date) is None} == DAYS


def test_an_original_may_be_of_an_unknown_day() -> None:
    """A terminal that lost the date could not take a sale back, or one with a wrong date would be believed."""
    taken = {date for date in NUMBERS if refused(F.ORIGINAL, f"000001000007{date}") is None}
    assert taken == DAYS | {"0000"}
    assert refused(F.ORIGINAL, "000001000007") is None
    assert refused(F.ORIGINAL, "00000100000703010112345678901") is None
    assert all(refused(F.ORIGINAL, f"000001000007{cut}") for cut in ("0", "03", "030"))


def test_an_expiry_has_a_month() -> None:
    """A card that expires in the 13th month would never expire."""
    good = {f"{year:02d}{month:02d}" for year in range(100) for month in range(1, 13)}
    assert {expiry for expiry in NUMBERS if refused(F.EXPIRY, expiry) is None} == good


@pytest.mark.parametrize(
    ("time", "is_good"),
    [("000000", True), ("235959", True), ("240000", False), ("236000", False), ("235960", False), ("246060", False)],
)
def test_a_time_is_one_of_a_day(time: str, is_good: bool) -> None:
    """A slip would show a time that no clock shows."""
    assert (refused(F.LOCAL_TIME, time) is None) is is_good


@pytest.mark.parametrize(("stan", "is_good"), [("000000", False), ("000001", True), ("999999", True)])
def test_a_stan_counts_from_one(stan: str, is_good: bool) -> None:
    """A terminal that does not count would have all its sales taken for one (CUP 7.8)."""
    assert (refused(F.STAN, stan) is None) is is_good


def test_every_row_of_a_number_is_asked() -> None:
    """A second check of a field would silently replace the first."""
    rows = {number: [check for check in CHECKS if check.number == number] for number in (F.PAN, F.STAN)}
    assert len(rows[F.PAN]) > 1
    assert {number: list(SANE[number]) for number in rows} == rows


def test_the_refusal_names_field_and_fault_in_both_languages() -> None:
    """The maker of a terminal would be told 30 and not where to look."""
    told = refused(F.STAN, "000000")
    assert told is not None
    texts = told.texts()
    assert (texts["code"], texts["zh"], texts["en"]) == ("30", "域11：流水号为零", "field 11: the trace number is zero")
    assert texts["remedy_zh"]
    assert texts["remedy_en"]


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        ("9F26800000", "2", "indefinite"),
        ("820102009F2684FFFFFFFFAA", "6", "begins with 84"),
        ("9F02069F03069F1A0295055F2A02", "11", "a list of tags and lengths"),
        ("8201010082", "5", "without a length"),
    ],
    ids=["length 80", "length 84 behind padding", "DOL", "cut behind padding"],
)
def test_the_refusal_of_chip_data_names_the_byte(data: str, offset: str, what: str) -> None:
    """Two hundred bytes of chip data would be called wrong, and no byte named."""
    told = refused(F.ICC, bytes.fromhex(data))
    assert told is not None
    assert (told.code, told.words["offset"]) == ("30", offset)
    assert what in told.words["what"]
    assert "55" in told.texts()["zh"]
    with pytest.raises(DecodeError):
        decode_chip_data(bytes.fromhex(data))


@pytest.mark.parametrize("name", SOUND_CHIP_DATA)
def test_chip_data_may_be_padded_and_say_a_tag_twice(name: str) -> None:
    """A card that does what EMV allows could not be used in any shop (B67, B68)."""
    assert refused(F.ICC, SOUND_CHIP_DATA[name]) is None


def test_every_field_of_the_table_may_be_absent_or_empty() -> None:
    """A request would be refused for a field that it does not even carry."""
    assert wrong_content(SALE, Message("0200", {F.STAN: "000001"})) is None
    empty: dict[int, Value] = {number: b"" if number == F.ICC else "" for number in CONTENTS}
    assert wrong_content(SALE, Message("0200", empty)) is None


@pytest.mark.parametrize("kind", sorted(ALL_KINDS))
def test_field_62_comes_only_with_kinds_that_have_one(kind: str) -> None:
    """Bytes that mean nothing would be taken along by whoever likes to hide some."""
    row = KINDS[kind]
    told = wrong_content(row, Message(row.mti, {F.PAYLOAD: b"<script>"}))
    assert (told is None) is (F.PAYLOAD in row.request.named)
    assert told is None or (told.reason, told.words["field"]) == ("message.foreign_field", "62")
    assert wrong_content(row, Message(row.mti, {F.PAYLOAD: b""})) is None


def test_field_62_stays_with_the_kinds_that_lack_it() -> None:
    """A change of the field table would silently open or close the door."""
    assert {name for name in ALL_KINDS if F.PAYLOAD not in KINDS[name].request.named} == {
        "sign_off", "batch_upload", "batch_end",
    }  # fmt: skip


def requests() -> Iterator[tuple[Vector, Message, Identity]]:
    """The requests of real terminals."""
    for vector in shared_vectors("message", "cup"):
        message = unseal(payload_of(vector)).message
        identity = identify(message)
        if identity and identity.is_request:
            yield vector, message, identity


def test_no_request_of_a_real_terminal_is_refused() -> None:
    """Terminals that work with real acquirers would be told that they are broken."""
    seen = {vector["id"]: wrong_content(identity.kind, message) for vector, message, identity in requests()}
    assert len(seen) >= 10
    assert {name: told for name, told in seen.items() if told} == {}


def test_a_refused_request_is_refused_again_and_its_number_stays_free(active: Wire) -> None:
    """A terminal that is mended could not send under the number that was refused."""
    stan = active.stan()
    fields = active.money(1_000, "6200000100000004", stan) | {F.EXPIRY: "1332"}
    for _ in range(2):
        reply = active.send(active.build("sale", fields))
        assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("30", "message.value")
    assert active.code(active.build("sale", fields | {F.EXPIRY: "3012"})) == "00"


def test_the_host_says_so_before_it_knows_the_terminal(wire: Wire) -> None:
    """A terminal would be registered first and learn only then that its program is wrong."""
    stranger = Wire(wire.lab, "PXE90-0009", "10000009")
    assert stranger.code(stranger.build("echo", {F.STAN: "000000"})) == "30"
    assert stranger.code(stranger.build("echo", {F.STAN: "000001"})) == "97"
