"""What the pages say of the wire: fields, kinds, response codes, header requirements, endpoints."""

from __future__ import annotations

from collections.abc import Iterable

from firmware_sim.network import NETWORKS
from pos_lab.handbook.markdown import Markdown, block, code, codes, prose, sections, table
from protocol.dialect import CUP, Dialect
from protocol.dialects import DIALECTS
from protocol.elements import Characters, Coding, Element, HexOctets, Octets, Packed, Signed, Text, Var
from protocol.fields import FIELDS
from protocol.framing import FRAMINGS, MAX_PAYLOAD, MIN_PAYLOAD
from protocol.header import REQUIREMENTS
from protocol.kinds import KINDS, Identity, Kind, missing_fields
from protocol.message import Message
from protocol.responses import RESPONSES
from protocol.transport.endpoint import EVERYWHERE, FORMS, OPTIONS, Option
from protocol.transport.endpoint import Text as FreeText
from protocol.transport.tls_fault import FAULTS
from terminal.line_faults import LINE_FAULTS


def fields() -> str:
    """Every field: number, names, length, coding, what a person sees, clause."""
    return table(
        ("field", "name", "中文", "length", "coding", "in JSON", "a person sees", "clause"),
        (
            (
                row.number,
                row.name,
                row.chinese,
                _length(row.element),
                _coding(row.element.coding),
                row.form.value,
                row.mask.value,
                row.clause,
            )
            for row in FIELDS.values()
        ),
    )


def dialects() -> str:
    """Every dialect: how its messages begin, and the fields that differ from the UnionPay dialect."""
    heads = table(
        ("dialect", "MTI", "bitmap", "fields", "kinds"),
        (
            (code(each.name), _coding(each.mti.coding), each.bitmap.value, len(each.fields), len(each.kinds.rows))
            for each in DIALECTS.values()
        ),
    )
    differences = (
        part
        for each in DIALECTS.values()
        if each is not CUP
        for part in (f"## {each.name}", "Fields that are not as in `cup`.", _differences(each))
    )
    return sections(heads, *differences)


def _differences(dialect: Dialect) -> str:
    return table(
        ("field", "name", "length", "coding", "in cup"),
        (
            (number, row.name, _length(row.element), _coding(row.element.coding), _in_cup(number))
            for number, row in sorted(dialect.fields.items())
            if number not in CUP.fields or _shape(row.element) != _shape(CUP.fields[number].element)
        ),
    )


def _in_cup(number: int) -> str:
    row = CUP.fields.get(number)
    return f"{_length(row.element)}, {_coding(row.element.coding)}" if row else "absent"


def _shape(element: Element) -> tuple[str, str]:
    return _length(element), _coding(element.coding)


def _length(element: Element) -> str:
    longest = element.bounds()[1]
    if not isinstance(element, Var):
        return str(longest)
    prefix = element.prefix
    return f"up to {longest}, length of {prefix.size_bytes} byte{'s' * (prefix.size_bytes > 1)} {prefix.base.value}"


def _coding(coding: Coding) -> str:
    match coding:
        case Packed():
            return f"packed BCD, {coding.alphabet.what}, {coding.align.value}-aligned"
        case Characters():
            return f"one ASCII byte a digit, {coding.alphabet.what}"
        case Text():
            return coding.charset
        case Octets():
            return "bytes"
        case HexOctets():
            return "bytes as ASCII hex"
        case Signed():
            return f"C or D, then {_coding(coding.digits)}"


def kinds() -> str:
    """Every kind: its codes, then the fields of its request and reply."""
    codes_of_kinds = table(
        (
            "kind",
            "English",
            "中文",
            "MTI",
            "reply",
            "field 3",
            "60.1",
            "60.3",
            "field 25",
            "MAC",
            "MAC of ours",
            "reversal",
            "extension",
            "clause",
        ),
        (
            (
                code(row.name),
                row.english,
                row.chinese,
                row.mti,
                row.reply_mti,
                row.processing_code,
                row.type_code,
                ", ".join(network or "none" for network in row.networks),
                row.condition_code,
                row.has_mac,
                row.may_mac,
                code(row.reversal),
                row.extension,
                row.clause,
            )
            for row in KINDS.values()
        ),
    )
    presence = table(
        ("message", "must carry", "due, but real peers leave it out", "may carry"),
        (row for kind in KINDS.values() for row in _presence(kind)),
    )
    masks = table(
        ("kind", "field", "a person sees"),
        ((code(kind.name), number, mask.value) for kind in KINDS.values() for number, mask in kind.masks),
    )
    return sections(
        "## Codes", codes_of_kinds, "## Presence", "Field numbers, as in [fields](fields.md).", presence,
        "## Masks", "Where a kind says more than [fields](fields.md) does of what a person may see.", masks,
    )  # fmt: skip


def _presence(kind: Kind) -> Iterable[tuple[Markdown, str, str, str]]:
    for is_request in (True, False):
        identity = Identity(kind, is_request)
        must = missing_fields(identity, Message(kind.mti if is_request else kind.reply_mti, {}))
        presence = identity.presence
        yield code(identity), _numbers(must), _numbers(sorted(presence.due)), _numbers(sorted(presence.may))


def _numbers(numbers: Iterable[int]) -> str:
    return " ".join(str(int(number)) for number in numbers)


def responses() -> str:
    """Every code of field 39 and what the terminal does on it."""
    return table(
        ("code", "English", "中文", "class", "the terminal's action"),
        ((code(row.code), row.english, row.chinese, row.group.value, row.action.value) for row in RESPONSES.values()),
    )


def requirements() -> str:
    """Every processing requirement of a reply's header."""
    return table(
        ("nibble", "the terminal is asked to", "中文", "by 60.3", "extension"),
        (
            (code(row.nibble), row.english, row.chinese, ", ".join(row.networks), row.extension)
            for row in REQUIREMENTS.values()
        ),
    )


def endpoints() -> str:
    """Every form of an endpoint's URL, every option, every framing."""
    forms = table(
        ("scheme", "written as", "framing"),
        ((code(scheme), code(form.example), code(form.framing)) for scheme, form in FORMS.items()),
    )
    options = table(
        ("option", "values", "default", "schemes"),
        (
            (
                code(name),
                _values(option),
                _default(option),
                "all"
                if option.schemes == EVERYWHERE
                else codes(scheme for scheme in FORMS if scheme in option.schemes),
            )
            for name, option in OPTIONS.items()
        ),
    )
    framings = table(
        ("framing", "a frame"),
        ((code(name), Markdown(prose(framer.__doc__).split("\n\n")[0])) for name, framer in FRAMINGS.items()),
    )
    faults = table(("code", "what is wrong", "hint"), ((code(name), *fault) for name, fault in FAULTS.items()))
    told = table(
        ("code", "中文", "English", "处理", "remedy"),
        (
            (code(name), row.chinese, row.english, row.remedy_chinese, row.remedy_english)
            for name, row in LINE_FAULTS.items()
        ),
    )
    return sections(
        "## Forms", forms, "`serial+` stands before any URL that pyserial understands.",
        "## Options", options, block("text", "serial:///dev/ttyUSB0?baud=115200&parity=even"),
        "## Framings", f"A payload has {MIN_PAYLOAD} to {MAX_PAYLOAD} bytes.", framings,
        "## Why TLS fails", "What a host logs of a peer that it refuses, and who connects is told.", faults,
        "## What the cashier reads", "Where a line says more than that nobody answers.", told,
        "## Networks", "What a tester may put between a device and its host.", _networks(),
    )  # fmt: skip


def _networks() -> str:
    return table(
        ("network", "中文", "what it is", "dials for s", "latency in s", "bit/s each way", "signal of 5"),
        (
            (code(name), row.chinese, row.english, row.dial_s, row.latency_s, row.bandwidth_bps or "any", row.signal)
            for name, row in NETWORKS.items()
        ),
    )


def _values(option: Option) -> Markdown:
    if isinstance(option.values, range):
        return Markdown(f"{option.values[0]} to {option.values[-1]}")
    if isinstance(option.values, FreeText):
        return Markdown(option.values.what)
    return codes(option.values)


def _default(option: Option) -> Markdown | str:
    """As it is spelled in a URL."""
    if isinstance(option.values, range):
        return code(option.default)
    if isinstance(option.values, FreeText):
        return ""
    spelled = next((text for text, setting in option.values.items() if setting == option.default), "")
    return code(spelled) or "the scheme's"
