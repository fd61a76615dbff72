"""TABLE POLICY: the figures that a tester may choose (product decisions 1 and 3).

The defaults are the product's. A scenario or ``poslab host --policy`` may replace any of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from protocol.private import CONTACTLESS

Fen = Annotated[int, Field(ge=0, le=10**12 - 1)]
Seconds = Annotated[int, Field(gt=0, le=10 * 365 * 86400)]


class Policy(BaseModel):
    """One frozen set of figures; amounts in fen, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    activation_fen: Fen = Field(
        10_000, description="captured sales and completions less voids and reversals that activate a terminal"
    )
    single_limit_fen: Fen = Field(5_000_000, description="the largest single sale")
    unknown_reversal_code: Literal["00", "25"] = Field("00", description="answer to a reversal of an unknown original")
    preauth_ttl_s: Seconds = Field(30 * 86400, description="how long a pre-authorisation may be completed")
    completion_percent: Annotated[int, Field(ge=100, le=200)] = Field(
        115, description="the largest completion, in percent of what is held"
    )
    tip_percent: Annotated[int, Field(ge=0, le=100)] = Field(
        15, description="how much an adjustment may add to a sale, in percent"
    )
    no_signature_limit_fen: Fen = Field(
        int(CONTACTLESS["FF8059"].default), description="the largest tap that needs no signature (CUP 7.9)"
    )
    parameters_required: bool = Field(
        False, description="whether a terminal must fetch what was published before it may sell (product G7)"
    )
    command_ttl_s: Seconds = Field(180 * 86400, description="how long a signed command may be carried out")
    acquirer_id: Annotated[str, Field(pattern=r"^[0-9]{8,11}$")] = Field("00019999", description="field 32 of replies")
    fee_band_bp: tuple[int, int] = Field((55, 65), description="credit rates outside draw a warning, in basis points")
