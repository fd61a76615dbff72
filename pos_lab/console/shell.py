"""A terminal in a shell: its screen in a box, a prompt that takes flows, keys, cards and strokes, slips as they come.

Rules owned here: TABLE WORDS, what may be typed, and TABLE HELP, how that is told; a PIN that is asked for is not
echoed, and none is ever repeated; in a script a flow waits for the one before it. What comes from the host is shown as
plain characters. Nobody needs to read on: what is begun goes to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

import typer

from firmware_sim.errors import UnknownName
from firmware_sim.keypad import CHARACTERS, Key
from firmware_sim.text import columns_of
from pos_lab.commands.output import as_line
from pos_lab.console.desk import Desk, Document
from pos_lab.console.keyboard import Keyboard
from pos_lab.console.requests import Request, carry_out, refusal
from protocol.errors import ToldError
from terminal.flows import FLOWS

MARKS: Final = {"approved": "✓", "done": "✓", "refused": "✗", "unknown": "?", "cancelled": "–"}
NAMES: Final = {"pin": "PIN", "ahead": "PIN", "password": "password"}
"""What is typed unseen."""
CLEAR_LINE: Final = "\r\x1b[K"
LEAVE: Final = ("quit", "exit")
ASK: Final = ("help", "menu")

Make = Callable[[Sequence[str]], Document]


def _begin(name: str) -> Make:
    return lambda words: {"do": name, "words": [*words]}


def _ask(name: str) -> Make:
    return lambda words: {name: True}


def _give(name: str) -> Make:
    return lambda words: {name: " ".join(words)}


def _always(name: str, value: str) -> Make:
    return lambda words: {name: value}


# first word -> what makes a request of the others; ValueError for words that are none
WORDS: Final[Mapping[str, Make]] = MappingProxyType(
    {
        **{name: _begin(name) for name in FLOWS},
        **{key.value.lower(): _always("key", key.value) for key in Key if key is not Key.ENTER},
        **{name: _ask(name) for name in ("remove", "screen", "told", "printed", "state")},
        **{name: _give(name) for name in ("press", "enter", "present", "key", "pin")},
        "sign": lambda words: {"sign": words[0] if words else "default"},
        "cut": _always("power", "cut"),
        "on": _always("power", "on"),
        "fault": lambda words: {"fault": " ".join(words[:1]), "times": int(words[1]) if words[1:] else 1},
    }
)
HELP: Final = (
    ("60.00", "数字后回车：键入并确认", "digits and Enter: type them and enter"),
    ("enter [TEXT]", "键入任意内容并确认", "type anything and enter"),
    ("cancel clear F1 F2 F3 F4", "按此键", "press this key"),
    ("press 60", "只按这些键", "press these keys and no enter"),
    ("present CARD[:WAY]", "出示卡片，如debit:tap", "a card, as debit:tap, credit:insert, debit:swipe"),
    ("remove", "取走卡片", "take the card away"),
    ("pin", "输入密码，不回显", "a PIN, which is not shown"),
    ("sign [NAME|cancel]", "签名", "sign, or do not"),
    ("screen told printed state", "查看", "look"),
    ("fault NAME [TIMES]", "设置故障", "let something fail"),
    ("cut, on", "断电、上电", "cut the power, switch it on"),
    ("key NAME", "按某键", "press a key by its name"),
    ("help", "显示本表", "tell all this"),
    ("quit", "退出", "leave; the device remembers"),
)


class Shell:
    """The prompt of one desk. With ``as_json`` it shows outcomes and errors only, one document a line."""

    def __init__(self, desk: Desk, keyboard: Keyboard, language: Literal["zh", "en"], *, as_json: bool) -> None:
        self._desk = desk
        self._keyboard = keyboard
        self._language = language
        self._as_json = as_json
        self._lines: list[str] = []
        self._glass: tuple[str, ...] = ()
        self._drawn: tuple[str, ...] = ()
        self._due = self._is_deaf = False
        self._hidden: Literal["", "pin", "ahead", "password"] = ""
        self._prompted = ""

    async def run(self) -> None:
        """Take lines until they end or somebody leaves; the last flow of a script goes on to its end."""
        self._desk.listen(self._hear)
        try:
            with self._keyboard.attended():
                if self._desk.is_on:
                    self._glass = self._desk.board.display.lines(self._language)
                self._draw()
                await self._take_lines()
        finally:
            self._desk.ignore(self._hear)

    async def _take_lines(self) -> None:
        while (line := await self._keyboard.line()) is not None:
            self._prompted = ""
            hidden, self._hidden = self._hidden, ""
            if hidden:
                self._keyboard.echo(on=True)
                self._say("")
            if not await self._obey(line.strip(), hidden):
                return
            await asyncio.sleep(0)  # a flow that has just begun asks its first question
            self._draw()
        if not self._keyboard.is_terminal:
            await self._desk.idle()
            self._draw()

    async def _obey(self, line: str, hidden: str) -> bool:
        """Do what a line says; whether to go on."""
        name, *words = line.split() or [""]
        if hidden and CHARACTERS.issuperset(line):
            self._take_secret(line, hidden)
        elif name in LEAVE:
            return False
        elif name in ASK:
            self._help()
        elif name == "pin" and self._keyboard.is_terminal:
            self._hidden = "ahead"
            if words:
                self._say(self._pick("请单独输入pin，密码不回显", "type pin alone: what follows is not shown"))
        elif CHARACTERS.issuperset(line):
            self._type(line)
        else:
            if name in FLOWS and not self._keyboard.is_terminal:
                await self._desk.idle()
            self._carry_out_words(name, words)
        return True

    def _take_secret(self, line: str, hidden: str) -> None:
        """Enter what was typed unseen, unless the question has gone: then it would answer another one."""
        if hidden == "ahead" or (hidden == "pin" and self._desk.asks_pin):
            self._carry_out({"pin": line})
        elif hidden == "password" and self._desk.hides_entry:
            self._type(line)
        else:
            self._say(self._pick("已无人询问密码", "nobody asks for it any more"))

    def _type(self, characters: str) -> None:
        """Press these keys and enter; an empty line is the enter key of a flow that runs."""
        if characters:
            self._carry_out({"press": characters})
        if characters or self._desk.flow:
            self._carry_out({"key": Key.ENTER.value})

    def _carry_out_words(self, name: str, words: Sequence[str]) -> None:
        try:
            if name.lower() not in WORDS:
                raise UnknownName("word", name, (*WORDS, *ASK, *LEAVE))
            self._carry_out(WORDS[name.lower()](words))
        except (ToldError, ValueError) as error:
            told = error if isinstance(error, ToldError) else ToldError("this is not a number", code="value")
            self._tell_reply(refusal(told))

    def _carry_out(self, document: Mapping[str, Any]) -> None:
        (name, value), *options = document.items()
        self._tell_reply(carry_out(self._desk, Request(None, name, value, dict(options))))

    def _tell_reply(self, reply: Document) -> None:
        error = reply.get("error")
        if self._as_json:
            if error:
                self._write(f"{as_line({'ok': False, 'error': error})}\n")
        elif isinstance(error, dict):
            self._say(self._told(error))
        else:
            self._look(reply)

    def _look(self, reply: Mapping[str, Any]) -> None:
        """Show what was asked for; nothing for what only does something."""
        if "zh" in reply:
            self._drawn = ()
        for outcome in reply.get("outcomes", ()):
            self._say(*outcome_lines(outcome, self._language))
        self._say(*(f"    {line}" for line in reply.get("lines", ())))
        if "model" in reply:
            self._say(*(f"{name:14} {value}" for name, value in reply.items() if name not in ("id", "ok")))

    def _hear(self, event: Document) -> None:
        """Keep what has happened for the next drawing, which comes when the device waits for somebody."""
        what = event["event"]
        if what == "outcome":
            if self._as_json:
                document = {name: value for name, value in event.items() if not name.startswith(("event", "receipt"))}
                self._write(f"{as_line(document)}\n")
            else:
                self._lines += outcome_lines(event, self._language, slip=self._desk.hardware.model.printer is False)
        elif what == "printed":
            self._lines.append(f"    {event['line']}")
        elif what == "power":
            if event["on"]:
                self._lines.append(self._pick("已上电", "the power is on"))
            else:
                self._lines.append(self._pick("已断电", "the power is off"))
                self._glass = self._drawn = ()
        elif what == "screen" and isinstance(lines := event[self._language], tuple):
            self._glass = lines
        elif what == "error" and isinstance(error := event["error"], dict):
            self._lines.append(self._told(error))
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._draw)

    def _draw(self) -> None:
        """Show what has happened, the screen if it is another one, and the prompt."""
        self._due = False
        lines, self._lines = self._lines, []
        if self._glass != self._drawn:
            lines += self._box(self._glass)
        self._drawn = self._glass
        self._say(*lines)
        self._prompt()

    def _prompt(self) -> None:
        if not self._keyboard.is_terminal:
            return
        before = self._hidden
        if self._desk.asks_pin:
            self._hidden = "pin"
        elif self._desk.hides_entry:
            self._hidden = "password"
        elif self._hidden != "ahead":
            self._hidden = ""
        if before and not self._hidden:
            self._keyboard.forget()  # half a PIN that nobody wants any more
        self._keyboard.echo(on=not self._hidden)
        state = self._desk.flow or ("pos" if self._desk.is_on else "off")
        prompt = f"{self._pick('密码', NAMES[self._hidden]) if self._hidden else state}> "
        if self._prompted != prompt and not self._as_json:
            self._write(f"{CLEAR_LINE if self._prompted else ''}{prompt}")
            self._prompted = prompt

    def _say(self, *lines: str) -> None:
        if lines and not self._as_json:
            if self._prompted:
                self._write(CLEAR_LINE)
                self._prompted = ""
            for line in lines:
                self._write(f"{plain(line)}\n")

    def _write(self, text: str) -> None:
        try:
            if not self._is_deaf:
                typer.echo(text, nl=False)
        except BrokenPipeError:
            self._is_deaf = True  # nobody reads any more; the command's end tells so

    def _box(self, lines: Sequence[str]) -> list[str]:
        columns = self._desk.hardware.model.columns
        edge = "─" * columns
        inside = (f"│{line}{' ' * max(0, columns - columns_of(line))}│" for line in map(plain, lines))
        return [f"┌{edge}┐", *inside, f"└{edge}┘"] if lines else []

    def _help(self) -> None:
        for flow in FLOWS.values():
            self._say(f"{flow.usage:32} {self._pick(flow.chinese, flow.english)}")
        for usage, zh, en in HELP:
            self._say(f"{usage:32} {self._pick(zh, en)}")

    def _told(self, error: Mapping[str, Any]) -> str:
        hint = f" ({error['hint']})" if error["hint"] else ""
        return f"! {error['message']}{hint}"

    def _pick(self, zh: str, en: str) -> str:
        return zh if self._language == "zh" else en


def outcome_lines(outcome: Mapping[str, Any], language: Literal["zh", "en"], *, slip: bool = True) -> list[str]:
    """What the cashier was told, and the slip below it where there is one."""
    remedy = outcome[f"remedy_{language}"]
    told = (MARKS[outcome["result"]], outcome["code"], outcome[f"text_{language}"], f"→ {remedy}" if remedy else "")
    receipt = outcome[f"receipt_{language}"] if slip else ()
    return [" ".join(filter(None, told)), *(f"    {line}" for line in receipt)]


def plain(text: str) -> str:
    """``text`` without what a screen would obey."""
    return "".join(character if character.isprintable() else "·" for character in text)
