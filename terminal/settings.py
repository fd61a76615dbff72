"""TABLE SETTINGS: what a terminal is set up with, each with its default, unit and help."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from protocol.crypto.lab_ca import REVOKED
from protocol.private import CONTACTLESS

REPLY_TIMEOUT_MAX_S: Final = 99
"""The longest timeout that a download can set: two digits (CUP 3.7)."""


class Settings(BaseModel):
    """The settings of one terminal; a row that is unknown or out of bounds raises pydantic's ValidationError."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    terminal_id: str = Field(pattern=r"^[0-9A-Za-z]{8}$", description="field 41")
    merchant_id: str = Field(pattern=r"^[0-9A-Za-z]{15}$", description="field 42")
    merchant_name: str = Field("", max_length=40, description="first line of a receipt")
    management_phone: str = Field("", pattern=r"^[0-9 -]{0,14}$", description="whom to call, on receipts (CUP 3.7)")
    operator: str = Field("01 ", pattern=r"^[0-9A-Za-z ]{3}$", description="field 63.1 of requests (CUP 2.7)")
    supervisor: Literal["once_set_up", "always"] = Field(
        "once_set_up", description="whether roles count before a supervisor has chosen a password"
    )
    network: Literal["001", "003", "004", "005", "006"] = Field(
        "004", description="60.3 of the sign-on: which working keys to ask for (CUP 5.2)"
    )
    decline_mac: Literal["required", "optional"] = Field(
        "required", description="whether an answer is believed that the dialect leaves without a MAC"
    )
    reply_timeout_s: float = Field(30.0, gt=0, description="how long a reply is waited for (CUP 7.15)")
    connect_timeout_s: float = Field(10.0, gt=0, description="how long the line may take to open")
    entry_timeout_s: float = Field(60.0, gt=0, description="how long a key, a card or a PIN is waited for")
    idle_after_s: float = Field(5.0, gt=0, description="how long the end of a flow stays on the screen")
    reversal_alarm_after: int = Field(3, ge=1, description="fruitless reversals until the alarm (product decision 2)")
    journal_limit: int = Field(
        500, ge=1, le=999, description="transactions of one batch; then only settlement (CUP 7.11)"
    )
    no_pin: bool = Field(CONTACTLESS["FF8054"].default == "1", description="whether small taps need no PIN (CUP 7.9)")
    no_pin_limit_fen: int = Field(
        int(CONTACTLESS["FF8058"].default), ge=0, description="the largest tap without a PIN, in fen (CUP 7.9)"
    )
    bin_table_a: bool = Field(
        CONTACTLESS["FF8055"].default == "1", description="whether BINs of table A need no PIN (CUP 7.9)"
    )
    bin_table_b: bool = Field(
        CONTACTLESS["FF8056"].default == "1", description="whether BINs of table B need no PIN (CUP 7.9)"
    )
    no_signature: bool = Field(
        CONTACTLESS["FF805A"].default == "1", description="whether small taps need no signature (CUP 7.9)"
    )
    no_signature_limit_fen: int = Field(
        int(CONTACTLESS["FF8059"].default), ge=0, description="the largest tap without a signature, in fen (CUP 7.9)"
    )
    signature_above_fen: int = Field(0, ge=0, description="the largest amount, in fen, that nobody has to sign for")
    signature_upload: Literal["at_once", "queued"] = Field(
        "at_once", description="whether a signature is uploaded after its transaction, or after the next one"
    )
    slip_language: Literal["zh", "en"] = Field("zh", description="the language of what is printed")
    manual_entry: bool = Field(False, description="whether a card number may be keyed (CUP 7.20)")
    offline_limit_fen: int = Field(
        20_000, ge=0, description="the floor limit: the largest sale without asking the host, in fen; 0 for none"
    )
    offline_max: int = Field(10, ge=0, description="how many offline sales may wait for their upload")
    revoked: tuple[str, ...] = Field(
        (REVOKED,), description="certificates of issuers that were called back: RID, CA index, serial number, in hex"
    )
    country: str = Field("156", pattern=r"^[0-9]{3}$", description="tag 9F1A, the country of the terminal")
    terminal_type: str = Field("22", pattern=r"^[0-9]{2}$", description="tag 9F35, the type of the terminal")
    terminal_capabilities: str = Field(
        "E068C8", pattern=r"^[0-9A-F]{6}$", description="tag 9F33, what the terminal can do"
    )
    tpdu_destination: str = Field("0003", pattern=r"^[0-9]{4}$", description="where the TPDU goes (CUP 1.2)")
    header_version: str = Field(
        "", pattern=r"^([0-9]{2})?$", description="version in the header (CUP 1.8); the model's own where empty"
    )

    @property
    def longest_wait_s(self) -> float:
        """How long a program that works may be silent, also after a download set another timeout meanwhile."""
        return self.entry_timeout_s + self.connect_timeout_s + max(self.reply_timeout_s, REPLY_TIMEOUT_MAX_S)
