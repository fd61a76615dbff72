"""Invented messages with everything in them that must stay hidden, and the bytes that they are."""

from __future__ import annotations

from protocol.elements import Value
from protocol.fields import F
from protocol.header import Header, Tpdu
from protocol.message import Message
from protocol.private import UploadItem, pack_upload

DEBIT_PAN = "6200000100000004"
CREDIT_PAN = "6200000200000003"
TRACK2 = f"{DEBIT_PAN}D3012220000012345678"
TRACK3 = f"99{DEBIT_PAN}D156156500000000000000000000000000000000000000"
PIN_BLOCK = bytes.fromhex("A1B2C3D4E5F60718")
ICC = bytes.fromhex("5A08" + DEBIT_PAN + "9F3602001E")
KEYS = bytes.fromhex("C0FFEE0102030405060708090A0B0C0D" + "01020304" + "DEADBEEF11223344" + "00" * 8 + "05060708")
DEVICE = b"A2024" + b"02008PL000001" + b"03006000004"

_IDS: dict[int, Value] = {F.TERMINAL_ID: "62000001", F.MERCHANT_ID: "100000000000001"}

SALE = Message(
    "0200",
    {
        F.PAN: DEBIT_PAN,
        F.PROCESSING_CODE: "000000",
        F.AMOUNT: "000000006000",
        F.STAN: "000007",
        F.EXPIRY: "3012",
        F.ENTRY_MODE: "051",
        F.PAN_SEQUENCE: "001",
        F.CONDITION_CODE: "00",
        F.PIN_CAPTURE: "12",
        F.TRACK2: TRACK2,
        F.TRACK3: TRACK3,
        **_IDS,
        F.CURRENCY: "156",
        F.PIN_BLOCK: PIN_BLOCK,
        F.SECURITY: "2600000000000000",
        F.ICC: ICC,
        F.DEVICE: DEVICE,
        F.CONTROL: "22000001000600",
        F.TEXT: "01 ",
        F.MAC: b"5FE058DB",
    },
    Tpdu(),
    Header(),
)
SALE_REPLY = Message(
    "0210",
    {
        F.PROCESSING_CODE: "000000",
        F.AMOUNT: "000000006000",
        F.STAN: "000007",
        F.LOCAL_TIME: "101530",
        F.LOCAL_DATE: "0229",
        F.RRN: "000000000007",
        F.RESPONSE_CODE: "00",
        **_IDS,
        F.CURRENCY: "156",
        F.CONTROL: "22000001000600",
        F.TEXT: "CUP交易成功",
        F.MAC: b"0011AABB",
    },
    Tpdu().reply(),
    Header(processing_requirement="E"),
)
SIGN_IN = Message(
    "0800",
    {F.STAN: "000001", **_IDS, F.CONTROL: "00000001003", F.PAYLOAD: b"Sequence No120000PL000001", F.TEXT: "01 "},
    Tpdu(),
    Header(),
)
SIGN_IN_REPLY = Message(
    "0810",
    {
        F.STAN: "000001",
        F.LOCAL_TIME: "101500",
        F.LOCAL_DATE: "0301",
        F.RESPONSE_CODE: "00",
        **_IDS,
        F.CONTROL: "00000001003",
        F.PAYLOAD: KEYS,
    },
    Tpdu().reply(),
    Header(),
)
UPLOAD = Message(
    "0320",
    {
        F.STAN: "000009",
        **_IDS,
        F.TOTALS: pack_upload([UploadItem("00", "000007", DEBIT_PAN, 6000), UploadItem("01", "000008", CREDIT_PAN, 1)]),
        F.CONTROL: "00000001201",
    },
    Tpdu(),
    Header(),
)
SETTLEMENT = Message(
    "0500",
    {
        F.STAN: "000010",
        **_IDS,
        F.TOTALS: "000000006000001000000000000000" + "0" + "0" * 31,
        F.CURRENCY: "156",
        F.CONTROL: "00000001201",
        F.TEXT: "01 ",
    },
    Tpdu(),
    Header(),
)
ECHO = Message("0820", {**_IDS, F.CONTROL: "00000001301"}, Tpdu(), Header())

SAMPLES = {
    "sale": SALE,
    "sale_reply": SALE_REPLY,
    "sign_in": SIGN_IN,
    "sign_in_reply": SIGN_IN_REPLY,
    "upload": UPLOAD,
    "settlement": SETTLEMENT,
    "echo": ECHO,
}

SECRETS = (DEBIT_PAN, CREDIT_PAN, TRACK2, TRACK3, PIN_BLOCK.hex(), KEYS[:8].hex(), KEYS[20:28].hex(), "5a0862")
"""Each must be absent from everything that is shown masked, as digits and as the hex of their ASCII characters."""


def leaks(shown: str) -> list[str]:
    """The secrets that ``shown`` gives away, in any case of letters."""
    low = shown.lower()
    return [secret for secret in SECRETS if secret.lower() in low or secret.encode().hex() in low]
