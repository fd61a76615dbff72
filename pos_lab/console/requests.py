"""What can be asked of a terminal through its console: a line of JSON in, a document out.

Rules owned here: TABLE CONSOLE_COMMANDS; what is wrong with a line is told by code, offset and hint, never by repeating
a PIN; a line nests no deeper and holds no longer numbers than Python's own reader takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn

from firmware_sim.errors import DeviceError, UnknownName
from firmware_sim.keypad import CHARACTERS, Key
from pos_lab.console.desk import Desk, Document, slip_document, wrong
from protocol.errors import ToldError
from terminal.flows import FLOWS, SIGNINGS

SHOWN_MAX: Final = 20
"""Outcomes that one reply tells at most."""
LINES_MAX: Final = 200
"""Printed lines that one reply tells at most."""
ID_CHARACTERS_MAX: Final = 64

_ENTRIES: Final = {entry.argument: entry.type_in for flow in FLOWS.values() for entry in flow.entries}
_KEYS: Final = {key.value.lower(): key for key in Key}


class RequestWrong(ToldError):
    """A line that asks for nothing that there is; ``offset`` counts bytes of the line, None where it is readable."""

    code = "request"

    def __init__(self, message: str, *, hint: str = "", code: str = "", offset: int | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.offset = offset


class Request(NamedTuple):
    """A line that was understood: ``value`` is what stands behind the command, ``id`` comes back in the reply."""

    id: str | int | None
    command: str
    value: Any
    options: Mapping[str, Any]


class ConsoleCommand(NamedTuple):
    """A row of CONSOLE_COMMANDS; ``options`` are further keys of the request."""

    run: Callable[[Desk, Any, Mapping[str, Any]], Document]
    takes: str
    does: str
    replies: str
    options: tuple[str, ...] = ()


def read(line: bytes) -> Request:
    """A line as a request; raises RequestWrong."""
    document = _read_json(line)
    if not isinstance(document, dict):
        raise RequestWrong("a request is a JSON object", hint='as {"do": "sale", "words": ["60.00"]}', offset=0)
    name = next((key for key in document if key in CONSOLE_COMMANDS), "")
    asked = {key: value for key, value in document.items() if key not in ("id", name)}
    number = document.get("id")
    if not isinstance(number, str | int | None) or isinstance(number, bool) or len(str(number)) > ID_CHARACTERS_MAX:
        raise RequestWrong("an id is a number or a short text", code="value")
    if not name:
        raise _unknown("command", next(iter(asked), ""), tuple(CONSOLE_COMMANDS))
    for key in asked:
        if key not in CONSOLE_COMMANDS[name].options:
            raise _unknown(f"option of {name}", key, CONSOLE_COMMANDS[name].options)
    return Request(number, name, document[name], asked)


def carry_out(desk: Desk, request: Request) -> Document:
    """Do what is asked and return the reply; what is wrong is told in it."""
    command = CONSOLE_COMMANDS[request.command]
    try:
        reply = command.run(desk, request.value, request.options)
    except ToldError as error:
        return refusal(error, request.id)
    return {"id": request.id, "ok": True, **reply}


def refusal(error: ToldError, number: str | int | None = None) -> Document:
    """The reply to a line that nothing is done for."""
    return {"id": number, "ok": False, "error": wrong(error)}


def finished(desk: Desk) -> Document:
    """How the latest flow ended."""
    return {"good": desk.last_is_good, "outcomes": desk.last[-SHOWN_MAX:]}


def _read_json(line: bytes) -> object:
    try:
        return json.loads(line.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise RequestWrong("this is not UTF-8", code="utf8", offset=error.start) from None
    except json.JSONDecodeError as error:
        offset = len(error.doc[: error.pos].encode("utf-8"))
        raise RequestWrong(f"this is not JSON: {error.msg}", code="json", offset=offset) from None
    except (ValueError, RecursionError):
        raise RequestWrong("this JSON is too deep or holds too long a number", code="json", offset=0) from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _unknown(kind: str, name: str, known: tuple[str, ...]) -> RequestWrong:
    close = get_close_matches(name[:ID_CHARACTERS_MAX], known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known)}" if known else "there is none"
    return RequestWrong(f"unknown {kind} {name[:ID_CHARACTERS_MAX]!r}", hint=hint, code=f"unknown_{kind.split()[0]}")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise RequestWrong(f"{what} is a text", code="value")
    return value


def _count(value: object, what: str, most: int) -> int:
    """A number from 0 to ``most``; true stands for ``most``."""
    if value is True:
        return most
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise RequestWrong(f"{what} is a number up to {most}, or true", code="value")
    return value


def _do(desk: Desk, value: object, options: Mapping[str, Any]) -> Document:
    words = options.get("words", [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise RequestWrong("the words of a flow are a list of texts", code="value")
    desk.begin(_text(value, "a flow"), words)
    return {"flow": desk.flow}


def _press(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    text = _text(value, "what is pressed")
    if not CHARACTERS.issuperset(text):
        raise DeviceError("there is no such key", hint='0 to 9 and "."; "enter" types anything else')
    for character in text:
        desk.board.keypad.strike(character)
    return {}


def _key(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    name = _text(value, "a key").lower()
    if name not in _KEYS:
        raise UnknownName("key", name, _KEYS)
    desk.board.keypad.strike(_KEYS[name])
    return {}


def _enter(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    desk.board.keypad.press(_text(value, "an entry"))
    return {}


def _present(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    _ENTRIES["card"](desk.board, _text(value, "a card"))
    return {}


def _remove(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    desk.board.card_reader.remove()
    return {}


def _pin(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    _ENTRIES["pin"](desk.board, _text(value, "a PIN"))
    return {}


def _sign(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    pad = desk.board.signature_pad
    if pad is None:
        raise DeviceError("this model has no signature pad", hint="sign on paper", code="no_pad")
    if isinstance(value, str):
        _ENTRIES["signature"](desk.board, "" if value == "default" else value)
        return {}
    pad.clear()
    pad.sign(_strokes(value))
    return {}


def _strokes(value: object) -> list[list[tuple[int, int]]]:
    """Strokes of points, or the points of one stroke."""
    if isinstance(value, list) and value and all(_is_point(point) for point in value):
        value = [value]
    if not isinstance(value, list) or not all(
        isinstance(stroke, list) and all(_is_point(point) for point in stroke) for stroke in value
    ):
        hint = f"or one of default, {', '.join(SIGNINGS)}"
        raise RequestWrong(
            "a signature is a list of strokes, and a stroke one of points [x, y]", hint=hint, code="value"
        )
    return [[(x, y) for x, y in stroke] for stroke in value]


def _is_point(value: object) -> bool:
    whole = (
        (isinstance(place, int) and not isinstance(place, bool) for place in value) if isinstance(value, list) else ()
    )
    return isinstance(value, list) and len(value) == 2 and all(whole)


def _screen(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    if not desk.is_on:
        return {"on": False, "zh": (), "en": ()}
    display = desk.board.display
    return {"on": True, "zh": display.lines("zh"), "en": display.lines("en")}


def _told(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    count, told = _count(value, "told", SHOWN_MAX), desk.told
    return {"outcomes": [slip_document(outcome) for outcome in told[max(0, len(told) - count) :]]}


def _printed(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    count, paper = _count(value, "printed", LINES_MAX), desk.hardware.paper
    return {"lines": paper[max(0, len(paper) - count) :]}


def _power(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    acts: Mapping[str, Callable[[], None]] = {"cut": desk.cut, "on": desk.switch_on}
    name = _text(value, "power")
    if name not in acts:
        raise UnknownName("state of the power", name, acts)
    acts[name]()
    return {"on": desk.is_on}


def _fault(desk: Desk, value: object, options: Mapping[str, Any]) -> Document:
    faults, name, times = desk.hardware.faults, _text(value, "a fault"), options.get("times", 1)
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 0):
        raise RequestWrong("times is a number, 0 for never, or null for always", code="value")
    if times == 0:
        faults.disarm(name)
    else:
        faults.arm(name, times=times)
    return {"armed": faults.armed}


def _state(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    hardware = desk.hardware
    state: Document = {
        "on": desk.is_on,
        "flow": desk.flow,
        "model": hardware.model.id,
        "serial_number": hardware.serial_number,
        "terminal_id": desk.settings.terminal_id,
        "merchant_id": desk.settings.merchant_id,
        "armed": hardware.faults.armed,
        "fired": dict(hardware.faults.fired),
    }
    if desk.is_on:
        book = desk.terminal.book
        state |= {
            "asks_pin": desk.asks_pin,
            "hides_entry": desk.hides_entry,
            "firmware": desk.board.running.version,
            "batch": book.batch,
            "next_stan": book.next_stan,
            "signed_on": book.signed_on,
            "training": book.training,
            "unresolved": len(book.unresolved),
        }
    return state


def _wait(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    return finished(desk)


def _help(desk: Desk, value: object, _: Mapping[str, Any]) -> Document:
    return {
        "commands": {
            name: {"takes": row.takes, "options": row.options, "does": row.does, "replies": row.replies}
            for name, row in CONSOLE_COMMANDS.items()
        },
        "flows": {name: {"usage": flow.usage, "zh": flow.chinese, "en": flow.english} for name, flow in FLOWS.items()},
    }


CONSOLE_COMMANDS: Final[Mapping[str, ConsoleCommand]] = MappingProxyType(
    {
        "do": ConsoleCommand(
            _do, "a flow", "begin a flow; what `words` do not give, it asks for at the devices", "`flow`", ("words",)
        ),
        "press": ConsoleCommand(_press, "digits and points", "press these keys, one after the other", ""),
        "key": ConsoleCommand(_key, f"one of {', '.join(_KEYS)}", "press a key that is no character", ""),
        "enter": ConsoleCommand(_enter, "a text", "type a text and enter", ""),
        "present": ConsoleCommand(
            _present, "a test card, as `debit`, `debit:tap`, `credit:insert+swipe`", "bring a card to the reader", ""
        ),
        "remove": ConsoleCommand(_remove, "true", "take the card away", ""),
        "pin": ConsoleCommand(_pin, 'a PIN, `""` for none', "type a PIN and enter; nothing repeats it", ""),
        "sign": ConsoleCommand(
            _sign, f"strokes of points, or one of default, {', '.join(SIGNINGS)}", "sign on the pad, or do not", ""
        ),
        "screen": ConsoleCommand(_screen, "true", "read the screen", "`on`, lines `zh` and `en`"),
        "told": ConsoleCommand(_told, "how many, or true", "what the cashier was told last", "`outcomes`"),
        "printed": ConsoleCommand(_printed, "how many, or true", "what the printer gave out last", "`lines`"),
        "power": ConsoleCommand(_power, "cut or on", "cut the power, or switch it on", "`on`"),
        "fault": ConsoleCommand(
            _fault, "a fault point", "let it happen once, or so many `times`, null for always, 0 for never", "`armed`",
            ("times",),
        ),
        "state": ConsoleCommand(_state, "true", "how the terminal is", "`on`, `flow`, `batch` and more"),
        "wait": ConsoleCommand(
            _wait, "true", "reply once no flow runs; what the same client sends meanwhile waits too",
            "`good`, `outcomes`",
        ),
        "help": ConsoleCommand(_help, "true", "tell commands and flows", "`commands`, `flows`"),
    }
)  # fmt: skip
"""Key of a request -> what it does."""
