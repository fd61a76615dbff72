"""Notices: channels, signature, dates, limits, forgeries, marketing, complaints (product N)."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from host.campaign import Item, ItemState
from host.errors import AdminError
from host.notices import CHANNELS, FINDINGS, REASONS, TEMPLATES, asks_for_money, compose, lint, send_at, words_of
from host.policy import Notices
from host.written import CHINA_TIME
from tests.host.handlers.test_commands import acknowledge, fetched, opened
from tests.host.wire import Lab, Wire

PHISHING = (
    "【收单机构】您的终端PXE90-0001将于2026-05-01停用，请向指定账户缴纳解冻费299元。",
    "Terminal PXE90-0001 (PX-E90) stops on 2026-05-01: the model retires. Pay a deposit of 299 to keep it.",
    "您的POS机已作废（2026/05/01），回复银行卡号和密码即可换新。",
)
ITEM = Item(3, "PXE90-0001", "PX-E90", "M", "memory", ItemState.NOTIFIED, 1, 0, 0, 1_785_513_600, 1_785_254_400)


def told(wire: Wire) -> dict[str, Any]:
    """The newest notice about the terminal."""
    rows: list[dict[str, Any]] = wire.lab.act("notices", serial_number=wire.serial_number)["notices"]
    return rows[-1]


def judged(wire: Wire, message: str) -> tuple[bool, list[str]]:
    """What the host says of a message that the merchant got."""
    result = wire.lab.act("verify_notice", merchant_id=wire.merchant_id, message=message)
    return result["genuine"], [row["finding"] for row in result["findings"]]


@pytest.fixture
def noticed(active: Wire) -> Wire:
    """An active terminal whose model retires in 97 days."""
    active.lab.act("retire_model", model=active.model)
    return active


@pytest.mark.feature("N1")
def test_a_notice_goes_out_on_every_channel(noticed: Wire) -> None:
    """Who never looks at the terminal's screen would learn of the stop when it happens."""
    lab = noticed.lab
    assert told(noticed)["channels"] == {
        "terminal": "sent",
        "sms": "delivered",
        "app": "delivered",
        "email": "delivered",
    }
    inbox = lab.act("inbox", merchant_id=noticed.merchant_id)["inbox"]
    assert sorted(row["channel"] for row in inbox) == sorted(CHANNELS)
    assert all(noticed.serial_number in row["text"] for row in inbox)


@pytest.mark.feature("N1", "P")
def test_text_messages_wait_for_their_partner(active: Wire) -> None:
    """An outage at the carrier would leave a merchant without notice."""
    lab = active.lab
    lab.act("partner", name="sms", state="down")
    lab.act("retire_model", model=active.model)
    assert (told(active)["channels"]["sms"], told(active)["channels"]["app"]) == ("waiting", "delivered")
    lab.act("partner", name="sms", state="up")
    assert lab.act("run_jobs")["delivered"] == 1
    assert told(active)["channels"]["sms"] == "delivered"


@pytest.mark.feature("N10")
def test_how_far_a_notice_came(noticed: Wire) -> None:
    """Nobody could prove that the merchant knew."""
    lab = noticed.lab
    document = fetched(noticed)
    assert told(noticed)["channels"]["terminal"] == "delivered"
    acknowledge(noticed, opened(noticed, document).counter)
    assert told(noticed)["channels"]["terminal"] == "acknowledged"
    numbers = {row["channel"]: row["number"] for row in lab.rows("inbox")}
    assert lab.act("mark_message", number=numbers["sms"], mark="read")["state"] == "read"
    assert lab.act("mark_message", number=numbers["app"], mark="acknowledged")["state"] == "acknowledged"
    assert told(noticed)["channels"]["sms"] == "read"
    for number, mark in ((numbers["terminal"], "read"), (numbers["sms"], "burnt"), (1, "read")):
        with pytest.raises(AdminError):
            lab.act("mark_message", number=number, mark=mark)


@pytest.mark.feature("N2")
def test_our_own_notice_is_known_and_a_changed_one_is_not(noticed: Wire) -> None:
    """A merchant could not tell the acquirer's word from a stranger's."""
    text = told(noticed)["text"]
    assert judged(noticed, text) == (True, [])
    assert judged(noticed, text.replace("\n", "\r\n")) == (True, [])
    assert judged(noticed, text.replace("2026-06-06", "2026-03-06"))[1][0] == "forged"
    assert judged(noticed, text.rpartition("\n")[0])[1] == ["unsigned"]
    body, _, line = text.rpartition("\n")
    number, _, signature = line.strip("[]").partition(" ")
    assert judged(noticed, f"{body}\n[{int(number) + 1} {signature}]")[1][0] == "forged"


@pytest.mark.feature("N2", "N4", "N7")
@pytest.mark.parametrize("message", PHISHING)
def test_phishing_is_no_notice_of_ours(noticed: Wire, message: str) -> None:
    """A merchant would pay a stranger to keep a terminal that is not his."""
    genuine, found = judged(noticed, message)
    assert not genuine
    assert found == ["unsigned", "no_plan", "money"]


@pytest.mark.feature("N4")
def test_a_notice_without_a_plan_is_detected(noticed: Wire) -> None:
    """A notice would go on frightening a merchant after its plan was called off, or with the old date."""
    lab, text = noticed.lab, told(noticed)["text"]
    lab.act("pause_campaign", number=1, why="flood")
    lab.later(days=10)
    lab.act("resume_campaign", number=1)
    assert judged(noticed, text) == (False, ["other_date"])
    lab.act("cancel_campaign", number=1, why="the maker sells parts again")
    assert judged(noticed, text) == (False, ["no_plan"])
    assert len(lab.act("inspect_notices")["suspects"]) == 2


def test_a_notice_of_another_merchant_is_not_his(noticed: Wire) -> None:
    """One real notice would do for every shop in town."""
    other = Wire(noticed.lab, "PXE90-0009", "10000009", "898100000000009").on_counter()
    assert judged(other, told(noticed)["text"])[1] == ["other_merchant"]


@pytest.mark.feature("N3")
def test_nobody_is_woken_at_night(lab: Lab) -> None:
    """Ten thousand merchants would be woken at three."""
    wire = Wire(lab).activated()
    lab.later(hours=6)
    lab.act("retire_model", model=wire.model)
    assert told(wire)["channels"] == {"terminal": "sent", "sms": "waiting", "app": "waiting", "email": "delivered"}
    lab.later(hours=7, minutes=59)
    assert lab.act("run_jobs")["delivered"] == 0
    lab.later(minutes=1)
    assert lab.act("run_jobs")["delivered"] == 2


@pytest.mark.feature("N3")
@pytest.mark.parametrize("hour", range(24))
def test_quiet_hours_and_the_limit_hold_at_any_hour(hour: int) -> None:
    """A merchant who is told too often reads nothing any more."""
    figures, sent = Notices(), list[int]()
    at = int(datetime(2026, 3, 1, hour, tzinfo=CHINA_TIME).timestamp())
    for _ in range(20):
        sent.append(send_at(CHANNELS["sms"], sent, figures, at))
        at += 3_600
    for moment in sent:
        assert 8 <= datetime.fromtimestamp(moment, CHINA_TIME).hour < 21
        assert sum(moment - figures.window_s < other <= moment for other in sent) <= figures.most
    assert all(before <= after for before, after in pairwise(sent))


@pytest.mark.feature("N3")
def test_what_was_overtaken_is_not_sent(lab: Lab) -> None:
    """A merchant would be told in the morning of a stop that was called off at night."""
    wire = Wire(lab).activated()
    lab.later(hours=6)
    lab.act("retire_model", model=wire.model)
    lab.act("cancel_campaign", number=1, why="a mistake")
    lab.later(hours=12)
    lab.act("run_jobs")
    texts = [row["text"] for row in lab.act("inbox", merchant_id=wire.merchant_id)["inbox"] if row["channel"] == "sms"]
    assert len(texts) == 1
    assert "已取消" in texts[0]


@pytest.mark.feature("N6", "N9")
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("reason", [*REASONS, "another"])
def test_every_text_of_ours_is_complete_and_asks_for_nothing(template: str, reason: str) -> None:
    """A merchant would not know which of his terminals stops, when, and whom to ask."""
    words = words_of(Item(**{name: getattr(ITEM, name) for name in ITEM.__slots__} | {"reason": reason}), "SF-E50")
    texts = compose(TEMPLATES[template], words)
    for name in ("text_zh", "text_en"):
        assert lint(texts[name], words) == []
        assert not asks_for_money(texts[name])


@pytest.mark.feature("N9")
@pytest.mark.parametrize(
    ("word", "finding"),
    [("serial_number", "no_serial_number"), ("model", "no_model"), ("stop", "no_date"), ("reason_zh", "no_reason"),
     ("contact_zh", "no_contact")],
)  # fmt: skip
def test_the_lint_finds_what_is_left_out(word: str, finding: str) -> None:
    """An incomplete notice would go out to thousands."""
    words = words_of(ITEM)
    text = compose(TEMPLATES["stop"], words)["text_zh"].replace(words[word], "")
    assert lint(text, words) == [finding]
    assert not FINDINGS[finding].grave


@pytest.mark.feature("N5")
@pytest.mark.parametrize(
    ("text_zh", "text_en", "code"),
    [
        ("新机八折，旧机2026-05-01停用", "new ones", "marketing_date"),
        ("新机八折", "your terminal stops on 2026-05-01", "marketing_date"),
        ("新机八折，先付款", "new ones", "asks_for_money"),
        ("新机八折", "pay now", "asks_for_money"),
    ],
)
def test_marketing_frightens_nobody(active: Wire, text_zh: str, text_en: str, code: str) -> None:
    """Sales people would sell devices with the fear of a stop."""
    with pytest.raises(AdminError) as refused:
        active.lab.act("promote", text_zh=text_zh, text_en=text_en)
    assert refused.value.code == code
    assert active.lab.rows("inbox") == []


@pytest.mark.feature("N3", "N5")
def test_marketing_comes_once_a_week(active: Wire) -> None:
    """A merchant would get the same offer every day."""
    lab, text = active.lab, {"text_zh": "新机八折", "text_en": "new devices for less"}
    assert lab.act("promote", **text)["told"] == [active.merchant_id]
    assert lab.act("promote", **text)["told"] == []
    lab.now += timedelta(days=8)
    assert lab.act("promote", **text)["told"] == [active.merchant_id]


@pytest.mark.feature("N8")
def test_a_complaint_is_recorded_and_closed_once(active: Wire) -> None:
    """Nobody would know that a merchant was cheated in the acquirer's name."""
    lab, merchant_id = active.lab, active.merchant_id
    got = lab.act("receive_message", merchant_id=merchant_id, channel="sms", message=PHISHING[0])
    assert not got["genuine"]
    number = lab.act("complain", merchant_id=merchant_id, about="somebody wants 299 yuan", number=got["number"])[
        "number"
    ]
    assert [row["number"] for row in lab.act("complaints", standing=True)["complaints"]] == [number]
    lab.act("close_complaint", number=number, outcome="reported to the police")
    with pytest.raises(AdminError):
        lab.act("close_complaint", number=number, outcome="again")
    assert lab.act("complaints", standing=True)["complaints"] == []
    assert lab.act("inspect_notices")["suspects"][0]["findings"] == ["unsigned", "no_plan", "money"]


@pytest.mark.parametrize("message", ["", "x" * 2_001, "\x1b[31m"])
def test_a_message_that_is_no_text_is_refused(active: Wire, message: str) -> None:
    """A hostile message would write on the operator's screen."""
    with pytest.raises(AdminError) as refused:
        active.lab.act("verify_notice", merchant_id=active.merchant_id, message=message)
    assert refused.value.code == "message"
