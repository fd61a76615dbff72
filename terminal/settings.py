"""TABLE SETTINGS: what a terminal is set up with, each with its default, unit and help."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """The settings of one terminal; a row that is unknown or out of bounds raises pydantic's ValidationError."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    terminal_id: str = Field(pattern=r"^[0-9A-Za-z]{8}$", description="field 41")
    merchant_id: str = Field(pattern=r"^[0-9A-Za-z]{15}$", description="field 42")
    merchant_name: str = Field("", max_length=40, description="first line of a receipt")
    operator: str = Field("01 ", pattern=r"^[0-9A-Za-z ]{3}$", description="field 63.1 of requests (CUP 2.7)")
    network: Literal["001", "003", "004"] = Field(
        "004", description="60.3 of the sign-on: which working keys to ask for (CUP 5.2)"
    )
    decline_mac: Literal["required", "optional"] = Field(
        "required", description="whether an answer is believed that the dialect leaves without a MAC"
    )
    reply_timeout_s: float = Field(30.0, gt=0, description="how long a reply is waited for (CUP 7.15)")
    connect_timeout_s: float = Field(10.0, gt=0, description="how long the line may take to open")
    entry_timeout_s: float = Field(60.0, gt=0, description="how long a key, a card or a PIN is waited for")
    reversal_alarm_after: int = Field(3, ge=1, description="fruitless reversals until the alarm (product decision 2)")
    journal_limit: int = Field(
        500, ge=1, le=999, description="transactions of one batch; then only settlement (CUP 7.11)"
    )
    tpdu_destination: str = Field("0003", pattern=r"^[0-9]{4}$", description="where the TPDU goes (CUP 1.2)")
    header_version: str = Field("32", pattern=r"^[0-9]{2}$", description="version in the header (CUP 1.8)")
