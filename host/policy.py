"""TABLE POLICY: the figures that a tester may choose (product decisions 1 and 3).

The defaults are the product's. A scenario or ``poslab host --policy`` may replace any of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fen = Annotated[int, Field(ge=0, le=10**12 - 1)]
Seconds = Annotated[int, Field(gt=0, le=10 * 365 * 86400)]


class Policy(BaseModel):
    """One frozen set of figures; amounts in fen, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    activation_fen: Fen = Field(10_000, description="captured sales less voids and reversals that activate a terminal")
    single_limit_fen: Fen = Field(5_000_000, description="the largest single sale")
    unknown_reversal_code: Literal["00", "25"] = Field("00", description="answer to a reversal of an unknown original")
    command_ttl_s: Seconds = Field(180 * 86400, description="how long a signed command may be carried out")
    acquirer_id: Annotated[str, Field(pattern=r"^[0-9]{8,11}$")] = Field("00019999", description="field 32 of replies")
    fee_band_bp: tuple[int, int] = Field((55, 65), description="credit rates outside draw a warning, in basis points")
