"""TABLE POLICY: everything about the host that a tester may choose, section by section (product decisions 1, 3, 10).

Rules owned here: the sections, their figures and the product's defaults. A figure ends in its unit; as it is written in
a file it has none (``turnover_fen`` is ``turnover: 100.00``). What is read is whole and sound, or an error. Amounts
and dates of 0 stand for ``none``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from host.written import (
    AmountFen,
    BalanceFen,
    Count,
    Digits,
    DurationS,
    FirmwareVersion,
    Flag,
    LimitFen,
    ModelId,
    Moment,
    Shape,
    SpanS,
    TimeOfDayS,
    mistake,
)
from protocol.private import CONTACTLESS

UNITS = ("_fen", "_s", "_bp", "_at")
DAY_S = 86_400
Family = Literal["traditional", "mpos", "e_sign", "smart"]
Capability = Literal["magnetic", "chip", "contactless", "printer", "signature_pad", "sm4", "update_in_place"]
Part = Literal["keyboard", "pin_pad", "card_reader", "printer", "display"]
Region = Annotated[str, Shape(r"|[0-9]{2}|[0-9]{4}|[0-9]{6}", "a region of 2, 4 or 6 digits")]
Line = Annotated[str, Shape(r"[^\x00-\x1f\x7f-\x9f]{1,60}", "one line of text")]
Protocol = Annotated[str, Digits(2)]


def key_of(name: str) -> str:
    """How a figure is written: its name without the unit."""
    return next((name.removesuffix(unit) for unit in UNITS if name.endswith(unit)), name)


class Section(BaseModel):
    """Figures that belong together; no unknown keys, never changed after they were read."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, alias_generator=key_of)


class Activation(Section):
    """When a terminal is activated (product A1 to A6)."""

    turnover_fen: AmountFen = Field(10_000, description="turnover that activates a terminal")
    reading: Literal["net", "less_refunds", "cards", "gross"] = Field("net", description="what counts as turnover")
    deadline_s: SpanS = Field(0, description="how long after its registration a terminal may wait for its activation")
    reward_fen: LimitFen = Field(0, description="what the merchant gets for an activation before the deadline")
    needs_card: Flag = Field(False, description="whether the merchant must have bound a card for payouts first")
    needs_limits: Flag = Field(False, description="whether the merchant's own limits must have been set first")


class Limits(Section):
    """How much a terminal may sell; a merchant's own limits go before these (product A4)."""

    single_fen: AmountFen = Field(5_000_000, description="the largest single sale")
    daily_fen: LimitFen = Field(0, description="sales of a terminal in one day")
    daily_count: Count = Field(0, description="how many sales a terminal may make in one day, 0 for any number")


class Registration(Section):
    """How merchants come in, and how long what they said is taken for true (product R3, R8, R15)."""

    merchant_type: Literal["lab", "micro", "individual", "company", "institution"] = Field(
        "lab", description="the type of a merchant whose form names none"
    )
    in_maintenance: Literal["queue", "refuse"] = Field(
        "queue", description="what becomes of a form that a device hands in during maintenance"
    )
    stale_after_s: SpanS = Field(365 * DAY_S, description="when a merchant's data are to be renewed")
    stale_grace_s: DurationS = Field(30 * DAY_S, description="how long after the warning a terminal still sells")


class Models(Section):
    """What a model must be to sell, everywhere (product G2, G3, G10)."""

    security_level: Annotated[Count, Field(le=9)] = Field(0, description="the lowest security level that sells")
    capabilities: tuple[Capability, ...] = Field((), description="what every model must have")
    families_refused: tuple[Family, ...] = Field((), description="families that sell no more")


class Mandate(Section):
    """What a region demands of the models there from a day on (product G9)."""

    region: Region = Field(description="leading digits of the merchant's region")
    since_at: Moment = Field(description="the first day")
    security_level: Annotated[Count, Field(le=9)] = Field(0, description="the lowest security level")
    capabilities: tuple[Capability, ...] = Field((), description="what a model must have")


class Combination(Section):
    """A row of the compatibility matrix: versions of one model's firmware and the protocol versions that it speaks.

    A model with rows sells in one of their combinations only (product G6).
    """

    model: ModelId = Field(description="the model")
    firmware_from: FirmwareVersion = Field("0.0.0", description="the first version")
    firmware_to: FirmwareVersion = Field("255.255.255", description="the last version")
    protocols: tuple[Protocol, ...] = Field((), description="versions of the protocol; any where none is named")


class Firmware(Section):
    """What the host expects of programs (product G4, G8)."""

    protocol_min: Protocol = Field("00", description="digits 3 and 4 of the header, the oldest that sells (CUP 1.8)")
    failures_max: Count = Field(
        3, description="failed updates after which a terminal sells on until the update is forced"
    )


class Window(Section):
    """A time in which the host takes no new business: at one moment, or every day (product U2)."""

    name: Line = Field("maintenance", description="what terminals are told")
    begins_at: Moment = Field(0, description="when it begins; none for a window of every day")
    daily_s: TimeOfDayS | None = Field(None, description="when it begins every day, in China's time")
    lasts_s: Annotated[DurationS, Field(le=DAY_S)] = Field(description="how long it lasts")
    model: ModelId | Literal[""] = Field("", description="the model that it is about; all where empty")
    region: Region = Field("", description="the region that it is about; all where empty")

    @model_validator(mode="after")
    def _begins_once(self) -> Self:
        if bool(self.begins_at) is (self.daily_s is not None):
            raise mistake("a window has either 'begins' or 'daily'")
        return self


class Holds(Section):
    """What puts a terminal on hold by itself (product U1)."""

    fault_parts: tuple[Part, ...] = Field(
        ("pin_pad",), description="parts whose failure holds a terminal until repaired"
    )


class Gates(Section):
    """Which permission gates are asked; identity gates always are."""

    wrong_batch: Flag = True
    currency: Flag = True
    stopped: Flag = True
    maintenance: Flag = True
    held: Flag = True
    partly_held: Flag = True
    model: Flag = True
    certificate: Flag = Field(
        False, description="off, so that a bench does not fall silent on the day of a certificate"
    )
    security_level: Flag = True
    capability: Flag = True
    family: Flag = True
    region: Flag = True
    firmware: Flag = True
    compatibility: Flag = True
    protocol_version: Flag = True
    parameters: Flag = True
    not_activated: Flag = True
    limits: Flag = True
    risk: Flag = True
    partner: Flag = True


class Reversals(Section):
    """Product decision 3."""

    unknown_code: Literal["00", "25"] = Field("00", description="answer to a reversal of an unknown original")


class Preauth(Section):
    """Holds on cards."""

    ttl_s: DurationS = Field(30 * DAY_S, description="how long a pre-authorisation may be completed")
    completion_percent: Annotated[Count, Field(ge=100, le=200)] = Field(
        115, description="the largest completion, in percent of what is held"
    )


class Adjustments(Section):
    """Other amounts for what was sold."""

    tip_percent: Annotated[Count, Field(le=100)] = Field(
        15, description="how much an adjustment may add to a sale, in percent"
    )


class Signatures(Section):
    """Cardholders' signatures."""

    free_fen: BalanceFen = Field(
        int(CONTACTLESS["FF8059"].default), description="the largest tap that needs no signature (CUP 7.9)"
    )


class Downloads(Section):
    """What terminals fetch."""

    required: Flag = Field(
        False, description="whether a terminal must fetch what was published before it may sell (product G7)"
    )


class Commands(Section):
    """Signed commands."""

    ttl_s: DurationS = Field(180 * DAY_S, description="how long a signed command may be carried out")


class Retirement(Section):
    """How terminals are taken out of service (product T, X3)."""

    least_s: DurationS = Field(30 * DAY_S, description="how long before a planned stop a merchant knows of it at least")
    wave_s: DurationS = Field(7 * DAY_S, description="how long one wave stops before the next")
    window_begins_s: TimeOfDayS = Field(14 * 3600, description="when devices are swapped, in China's time")
    window_s: DurationS = Field(3 * 3600, description="how long that lasts")
    breach_s: DurationS = Field(30 * DAY_S, description="how long a forced update may be overdue")
    appeal_s: DurationS = Field(15 * DAY_S, description="how long a merchant may appeal against a violation")


class Service(Section):
    """What swaps, repairs and loans cost, how long they take, what goes on meanwhile (product X4, X7, X9, X10)."""

    swap_fee_fen: LimitFen = Field(0, description="what a swap costs the merchant, taken from its deposit")
    deposit_fen: LimitFen = Field(0, description="the deposit that a merchant needs for a swap or a loan")
    swaps_a_day: Count = Field(0, description="how many swaps have their appointment on one day, 0 for any number")
    warranty_s: SpanS = Field(365 * DAY_S, description="how long after its delivery a device is repaired for nothing")
    repaired_s: SpanS = Field(90 * DAY_S, description="the same after a repair")
    repair_s: DurationS = Field(7 * DAY_S, description="how long a repair may take until it counts as late")
    loan_s: DurationS = Field(30 * DAY_S, description="how long a spare device is lent")
    fallback_s: DurationS = Field(3 * DAY_S, description="how long a fallback code is good")
    fallback_most_fen: AmountFen = Field(100_000, description="the largest payment by a fallback code")


class Notices(Section):
    """How merchants are told (product N3)."""

    quiet_begins_s: TimeOfDayS = Field(21 * 3600, description="from when on nobody is disturbed, in China's time")
    quiet_ends_s: TimeOfDayS = Field(8 * 3600, description="until when")
    most: Annotated[Count, Field(ge=1)] = Field(3, description="notices about a terminal on one channel in the window")
    window_s: DurationS = Field(7 * DAY_S, description="the window in which they are counted")


class Fees(Section):
    """What merchants pay."""

    band_bp: tuple[int, int] = Field((55, 65), description="credit rates outside draw a warning, in basis points")


class Risk(Section):
    """What looks like abuse of a terminal, and from where on (product K)."""

    rules: tuple[Literal["velocity", "amount", "split", "hour", "declines", "category"], ...] = Field(
        (), description="which rules of risk are asked"
    )
    window_s: DurationS = Field(600, description="how far back a rule looks")
    warning_s: DurationS = Field(7 * DAY_S, description="how long a warning stands; a second find then holds")
    velocity_count: Count = Field(5, description="how often one card may pay within the window")
    amount_fen: AmountFen = Field(2_000_000, description="a payment, in one or in parts, that is looked at")
    night_s: TimeOfDayS = Field(3600, description="when the night begins, in China's time")
    morning_s: TimeOfDayS = Field(5 * 3600, description="when it ends")
    declined_cards: Annotated[Count, Field(ge=1)] = Field(5, description="cards declined within the window")
    category_s: DurationS = Field(30 * DAY_S, description="how long a change of the merchant's category is looked at")
    alike_terminals: Annotated[Count, Field(ge=2)] = Field(5, description="terminals that fail alike are one failure")


class Payouts(Section):
    """When merchants get their money (product M)."""

    automatic: Flag = Field(False, description="whether the host pays by itself, each batch on the day of its term")
    holidays: tuple[Moment, ...] = Field((), description="days on which banks do not work, besides weekends")


class Disputes(Section):
    """Payments that cardholders contest (product D)."""

    answer_s: DurationS = Field(10 * DAY_S, description="how long a merchant may take to answer before it is lost")


class Answer(Section):
    """A rule for what the issuers answer; a field that is left out fits everything."""

    code: Annotated[str, Shape(r"[0-9A-Z]{2}", "a response code such as 51")] = Field(description="field 39")
    kind: Annotated[str, Shape(r"[a-z_]*", "a kind such as sale")] = Field("", description="the kind of the request")
    card: Annotated[str, Shape(r"[0-9]{0,10}", "up to 10 leading digits of a card")] = Field(
        "", description="leading digits of the card or the customer's code"
    )
    entry_mode: Annotated[str, Shape(r"[0-9]{0,3}", "up to 3 digits")] = Field("", description="field 22 begins so")
    terminal_id: Annotated[str, Shape(r"[0-9A-Za-z]{0,8}", "a terminal id")] = Field("", description="field 41")
    merchant_id: Annotated[str, Shape(r"[0-9A-Za-z]{0,15}", "a merchant id")] = Field("", description="field 42")
    least_fen: BalanceFen = Field(0, description="the least amount")
    most_fen: LimitFen = Field(0, description="the largest amount")


class Lines(Section):
    """Connections of terminals."""

    idle_s: SpanS = Field(1800, description="how long a network connection may say nothing until it is closed")


class Identity(Section):
    """Who the acquirer is."""

    id: Annotated[str, Digits(8, 11)] = Field("00019999", description="field 32 of replies")


class Policy(Section):
    """One frozen set of rules. A section or figure that is left out is the product's."""

    activation: Activation = Activation()
    limits: Limits = Limits()
    registration: Registration = Registration()
    models: Models = Models()
    mandates: tuple[Mandate, ...] = ()
    compatibility: tuple[Combination, ...] = ()
    firmware: Firmware = Firmware()
    maintenance: tuple[Window, ...] = ()
    holds: Holds = Holds()
    gates: Gates = Gates()
    reversals: Reversals = Reversals()
    preauth: Preauth = Preauth()
    adjustments: Adjustments = Adjustments()
    signatures: Signatures = Signatures()
    downloads: Downloads = Downloads()
    commands: Commands = Commands()
    retirement: Retirement = Retirement()
    service: Service = Service()
    notices: Notices = Notices()
    fees: Fees = Fees()
    answers: tuple[Answer, ...] = ()
    risk: Risk = Risk()
    payouts: Payouts = Payouts()
    disputes: Disputes = Disputes()
    lines: Lines = Lines()
    acquirer: Identity = Identity()
