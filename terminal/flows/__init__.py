"""TABLE FLOWS: everything that a terminal can be asked to do. One asks here, the other answers in ``host.handlers``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from firmware_sim.board import Board
from firmware_sim.cards import TEST_CARDS
from firmware_sim.errors import UnknownName
from terminal.errors import WordsWrong
from terminal.flows import commands, firmware, link, purchase, settle, sign_in, undo
from terminal.outcome import Outcome
from terminal.session import Session


class Entry(NamedTuple):
    """What a flow asks for. ``type_in`` does it for the cashier or the cardholder, given the argument's value."""

    argument: str
    type_in: Callable[[Board, str], None]
    optional: bool = False


class Flow(NamedTuple):
    """A row of FLOWS; ``entries`` are the arguments of ``Terminal.run``, in the order of ``usage``."""

    run: Callable[[Session], Awaitable[Outcome]]
    entries: tuple[Entry, ...]
    usage: str
    english: str
    chinese: str


def _press(board: Board, text: str) -> None:
    board.keypad.press(text)


def _present(board: Board, name: str) -> None:
    if name not in TEST_CARDS:
        raise UnknownName("card", name, TEST_CARDS)
    board.card_reader.present(TEST_CARDS[name])


def _enter_pin(board: Board, pin: str) -> None:
    board.keypad.enter_pin(pin)


_AMOUNT: Final = Entry("amount", _press)
_CARD: Final = Entry("card", _present)
_PIN: Final = Entry("pin", _enter_pin, optional=True)
_STAN, _RRN, _DATE = Entry("stan", _press), Entry("rrn", _press), Entry("date", _press)

FLOWS: Final[Mapping[str, Flow]] = MappingProxyType(
    {
        "sign_in": Flow(sign_in.sign_in, (), "sign_in", "sign on and load working keys", "签到，下载工作密钥"),
        "sign_off": Flow(sign_in.sign_off, (), "sign_off", "sign off and erase the working keys", "签退，清除工作密钥"),
        "echo": Flow(link.echo, (), "echo", "test the line", "回响测试"),
        "status": Flow(link.status, (), "status", "upload the state of the device", "上送终端状态"),
        "sale": Flow(purchase.sale, (_AMOUNT, _CARD, _PIN), "sale AMOUNT CARD [PIN]", "sell", "消费"),
        "void": Flow(undo.void, (_STAN,), "void STAN", "void a sale of the open batch", "消费撤销"),
        "refund": Flow(
            undo.refund, (_AMOUNT, _CARD, _RRN, _DATE), "refund AMOUNT CARD RRN MMDD", "refund a sale", "退货"
        ),
        "settle": Flow(settle.settle, (), "settle", "settle the batch", "批结算"),
        "reverse": Flow(undo.reverse, (), "reverse", "resolve pending reversals now", "立即冲正"),
        "clear_reversal": Flow(
            undo.clear_reversal, (), "clear_reversal", "drop pending reversals (supervisor)", "清除冲正（主管）"
        ),
        "why": Flow(commands.why, (), "why", "ask why the host refuses", "查询拒绝原因"),
        "commands": Flow(commands.commands, (), "commands", "fetch and carry out signed commands", "取并执行远程指令"),
        "notices": Flow(commands.notices, (), "notices", "show the notices", "查看通知"),
        "update": Flow(firmware.update, (), "update", "download newer firmware for the next boot", "更新固件"),
    }
)


def type_in(flow: Flow, arguments: Mapping[str, str], board: Board) -> None:
    """Enter the arguments at the devices; raises WordsWrong, UnknownName for a card, DeviceError for a bad PIN."""
    needed = {entry.argument for entry in flow.entries if not entry.optional}
    known = {entry.argument for entry in flow.entries}
    if not needed <= arguments.keys() <= known:
        raise WordsWrong(f"{', '.join(arguments) or 'nothing'} given to {flow.usage!r}", hint=flow.english)
    board.keypad.clear()
    for entry in flow.entries:
        entry.type_in(board, arguments.get(entry.argument, ""))
