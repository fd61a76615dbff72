"""TABLE FLOWS: everything that a terminal can be asked to do. One asks here, the other answers in ``host.handlers``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from firmware_sim.board import Board
from firmware_sim.card_reader import Way
from firmware_sim.cards import TEST_CARDS
from firmware_sim.errors import UnknownName
from firmware_sim.signature_pad import SIGNATURES
from terminal.errors import WordsWrong
from terminal.flows import (
    audit,
    balance,
    commands,
    download,
    firmware,
    hand_over,
    keys,
    link,
    moto,
    offline,
    operators,
    pause,
    preauth,
    purchase,
    qr,
    register,
    reprint,
    settle,
    sign_in,
    take_over,
    training,
    undo,
)
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


def _present(board: Board, text: str) -> None:
    """A card, and perhaps how: ``credit``, ``credit:swipe``, or one way after the other, ``credit:insert+swipe``."""
    name, _, told = text.partition(":")
    ways = told.split("+") if told else []
    if name not in TEST_CARDS:
        raise UnknownName("card", name, TEST_CARDS)
    for way in ways:
        if way not in WAYS:
            raise UnknownName("way to present a card", way, WAYS)
    board.card_reader.present(TEST_CARDS[name], *map(Way, ways))


def _press_if_any(board: Board, text: str) -> None:
    if text:
        board.keypad.press(text)


def _enter_pin(board: Board, pin: str) -> None:
    board.keypad.enter_pin(pin)


def _sign(board: Board, name: str) -> None:
    """One of SIGNATURES, the first one unless told; or ``cancel``, or ``none``, which waits in vain."""
    pad, name = board.signature_pad, name or next(iter(SIGNATURES))
    if name not in SIGNINGS:
        raise UnknownName("signature", name, SIGNINGS)
    if pad is None:
        return
    pad.clear()
    if name in SIGNATURES:
        pad.sign(SIGNATURES[name])
    elif name == "cancel":
        pad.cancel()


SIGNINGS: Final = (*SIGNATURES, "cancel", "none")
WAYS: Final = tuple(way.value for way in Way)
_AMOUNT: Final = Entry("amount", _press)
_CARD: Final = Entry("card", _present)
_PIN: Final = Entry("pin", _enter_pin, optional=True)
_SIGNATURE: Final = Entry("signature", _sign, optional=True)
_STAN, _RRN, _DATE = Entry("stan", _press), Entry("rrn", _press), Entry("date", _press)
_AUTH, _CODE, _PAN, _EXPIRY = (Entry(name, _press) for name in ("auth_id", "code", "pan", "expiry"))
_REPRINTED: Final = Entry("stan", _press, optional=True)
_OPERATOR = Entry("operator", _press)
_OWN_PASSWORD, _FIRST_PASSWORD = Entry("own_password", _press), Entry("first_password", _press)
_NEW, _AGAIN = (Entry(name, _press_if_any, optional=True) for name in ("new", "again"))
_ENTER: Final = Entry("enter", _press, optional=True)
_NAME, _CONTACT, _TELEPHONE, _ADDRESS = (
    Entry(name, _press, optional=True) for name in ("name", "contact", "telephone", "address")
)
_WORD: Final = Entry("word", _press)
_PASSWORD: Final = Entry("password", _press, optional=True)
"""The supervisor's, for a flow that a cashier may not start alone; it is asked for before all else."""
_HOLD: Final = (_AMOUNT, _CARD, _AUTH, _DATE)

FLOWS: Final[Mapping[str, Flow]] = MappingProxyType(
    {
        "sign_in": Flow(sign_in.sign_in, (), "sign_in", "sign on and load working keys", "签到，下载工作密钥"),
        "sign_off": Flow(sign_in.sign_off, (), "sign_off", "sign off and erase the working keys", "签退，清除工作密钥"),
        "echo": Flow(link.echo, (), "echo", "test the line", "回响测试"),
        "status": Flow(link.status, (), "status", "upload the state of the device", "上送终端状态"),
        "sale": Flow(
            purchase.sale, (_AMOUNT, _CARD, _PIN, _SIGNATURE), "sale AMOUNT CARD [PIN] [SIGNATURE]", "sell", "消费"
        ),
        "void": Flow(undo.void, (_STAN,), "void STAN", "void a sale of the open batch", "消费撤销"),
        "refund": Flow(
            undo.refund,
            (_AMOUNT, _CARD, _RRN, _DATE, _PASSWORD),
            "refund AMOUNT CARD RRN MMDD [PASSWORD]",
            "refund a sale (supervisor)",
            "退货（主管）",
        ),
        "balance": Flow(balance.balance, (_CARD, _PIN), "balance CARD [PIN]", "ask what is on a card", "余额查询"),
        "qr_sale": Flow(
            qr.qr_sale,
            (_AMOUNT, _CODE, _SIGNATURE),
            "qr_sale AMOUNT CODE [SIGNATURE]",
            "sell by a customer's code",
            "扫码消费",
        ),
        "moto_sale": Flow(
            moto.moto_sale, (_AMOUNT, _PAN, _EXPIRY), "moto_sale AMOUNT PAN YYMM", "sell by telephone", "邮购电话消费"
        ),
        "preauth": Flow(
            preauth.preauth,
            (_AMOUNT, _CARD, _PIN, _SIGNATURE),
            "preauth AMOUNT CARD [PIN] [SIGNATURE]",
            "hold an amount",
            "预授权",
        ),
        "additional_preauth": Flow(
            preauth.additional_preauth,
            (*_HOLD, _PIN, _SIGNATURE),
            "additional_preauth AMOUNT CARD AUTH MMDD [PIN] [SIGNATURE]",
            "hold more for a pre-authorisation",
            "追加预授权",
        ),
        "preauth_void": Flow(
            preauth.preauth_void, _HOLD, "preauth_void AMOUNT CARD AUTH MMDD", "let go of a hold", "预授权撤销"
        ),
        "completion": Flow(
            preauth.completion,
            (*_HOLD, _SIGNATURE),
            "completion AMOUNT CARD AUTH MMDD [SIGNATURE]",
            "take what a hold is for",
            "预授权完成请求",
        ),
        "completion_advice": Flow(
            preauth.completion_advice,
            _HOLD,
            "completion_advice AMOUNT CARD AUTH MMDD",
            "the same by an advice, sent until it is answered",
            "预授权完成通知",
        ),
        "completion_void": Flow(
            undo.completion_void,
            (_STAN,),
            "completion_void STAN",
            "void a completion of the open batch",
            "预授权完成撤销",
        ),
        "offline_sale": Flow(
            offline.offline_sale,
            (_AMOUNT, _CARD),
            "offline_sale AMOUNT CARD",
            "sell without asking the host",
            "离线消费",
        ),
        "offline_adjustment": Flow(
            offline.offline_adjustment,
            (_STAN, _AMOUNT),
            "offline_adjustment STAN AMOUNT",
            "change the amount of an offline sale",
            "离线调整",
        ),
        "tip_adjustment": Flow(
            offline.tip_adjustment,
            (_STAN, _AMOUNT),
            "tip_adjustment STAN AMOUNT",
            "change a sale to the amount with the tip",
            "小费调整",
        ),
        "reprint": Flow(
            reprint.reprint, (_REPRINTED,), "reprint [STAN]", "give out a slip again, the last one or by STAN", "重打印"
        ),
        "training": Flow(
            training.training,
            (_WORD, _PASSWORD),
            "training ON_OFF [PASSWORD]",
            "practise: on, or off (supervisor)",
            "培训模式（主管）",
        ),
        "download": Flow(
            download.download,
            (_WORD, _PASSWORD),
            "download NAME [PASSWORD]",
            "fetch parameters or tables: one, or all (supervisor)",
            "下载参数（主管）",
        ),
        "cashier_sign_in": Flow(
            link.cashier_sign_in, (), "cashier_sign_in", "tell the host who is at the till", "收银员签到"
        ),
        "configuration": Flow(
            link.configuration, (), "configuration", "upload the state and the parameters", "上送终端配置"
        ),
        "settle": Flow(settle.settle, (), "settle", "settle the batch", "批结算"),
        "reverse": Flow(undo.reverse, (), "reverse", "resolve pending reversals now", "立即冲正"),
        "clear_reversal": Flow(
            undo.clear_reversal,
            (_PASSWORD,),
            "clear_reversal [PASSWORD]",
            "drop pending reversals (supervisor)",
            "清除冲正（主管）",
        ),
        "why": Flow(commands.why, (), "why", "ask why the host refuses", "查询拒绝原因"),
        "commands": Flow(commands.commands, (), "commands", "fetch and carry out signed commands", "取并执行远程指令"),
        "notices": Flow(commands.notices, (), "notices", "show the notices", "查看通知"),
        "download_master_key": Flow(
            keys.download_master_key,
            (_PASSWORD,),
            "download_master_key [PASSWORD]",
            "get the master key over the line (supervisor)",
            "下载主密钥（主管）",
        ),
        "update": Flow(
            firmware.update,
            (_PASSWORD,),
            "update [PASSWORD]",
            "download newer firmware for the next boot (supervisor)",
            "更新固件（主管）",
        ),
        "acknowledge": Flow(
            commands.acknowledge, (_ENTER,), "acknowledge [ENTER]", "confirm the oldest announcement", "确认公告"
        ),
        "log_on": Flow(
            operators.log_on,
            (_OPERATOR, _OWN_PASSWORD, _NEW, _AGAIN),
            "log_on OPERATOR PASSWORD [NEW] [AGAIN]",
            "log on; the first time, choose the password",
            "操作员登录，首次须设置密码",
        ),
        "log_off": Flow(operators.log_off, (), "log_off", "log off", "操作员退出"),
        "add_operator": Flow(
            operators.add_operator,
            (_OPERATOR, _FIRST_PASSWORD, _PASSWORD),
            "add_operator OPERATOR FIRST [PASSWORD]",
            "set up a cashier with a first password (supervisor)",
            "设置操作员（主管）",
        ),
        "remove_operator": Flow(
            operators.remove_operator,
            (_OPERATOR, _PASSWORD),
            "remove_operator OPERATOR [PASSWORD]",
            "remove a cashier (supervisor)",
            "删除操作员（主管）",
        ),
        "audit": Flow(
            audit.audit, (_PASSWORD,), "audit [PASSWORD]", "show the audit trail (supervisor)", "查看审计记录（主管）"
        ),
        "pause": Flow(
            pause.pause, (_PASSWORD,), "pause [PASSWORD]", "take no new business (supervisor)", "暂停营业（主管）"
        ),
        "resume": Flow(
            pause.resume, (_PASSWORD,), "resume [PASSWORD]", "take business again (supervisor)", "恢复营业（主管）"
        ),
        "register": Flow(
            register.register,
            (_NAME, _CONTACT, _TELEPHONE, _ADDRESS),
            "register [NAME] [CONTACT] [TELEPHONE] [ADDRESS]",
            "hand in the merchant's form; without words, ask how it stands",
            "终端注册：提交或查询商户资料",
        ),
        "hand_over": Flow(
            hand_over.hand_over,
            (_PASSWORD,),
            "hand_over [PASSWORD]",
            "give the till to the new device: drain, settle, back up; then wipe (supervisor)",
            "交机：结算、备份，新机恢复后擦除（主管）",
        ),
        "take_over": Flow(
            take_over.take_over, (), "take_over", "take the till over from the old device", "接机：绑定并恢复备份"
        ),
    }
)


def type_in(flow: Flow, arguments: Mapping[str, str], board: Board, *, asks_password: bool) -> None:
    """Enter the arguments at the devices, the supervisor's password only where it is asked for.

    Raises WordsWrong, UnknownName for a card, DeviceError for a bad PIN.
    """
    needed = {entry.argument for entry in flow.entries if not entry.optional}
    known = {entry.argument for entry in flow.entries}
    if not needed <= arguments.keys() <= known:
        raise WordsWrong(f"{', '.join(arguments) or 'nothing'} given to {flow.usage!r}", hint=flow.english)
    board.keypad.clear()
    if asks_password:
        _PASSWORD.type_in(board, arguments.get(_PASSWORD.argument, ""))
    for entry in flow.entries:
        if entry is not _PASSWORD:
            entry.type_in(board, arguments.get(entry.argument, ""))
