"""``poslab terminal``: one emulated terminal in front of a host, by hand or by a list of flows."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from pos_lab.commands.host import DEFAULT_LISTEN
from pos_lab.commands.output import JsonOption, Lang, LangOption, Status, new_app, print_error, print_json

_FLOWS_HELP: Final = (
    "sign_in, sale AMOUNT [CARD [PIN]], void STAN, refund AMOUNT CARD RRN MMDD, reverse, settle, echo, status, why, "
    "commands, notices, update, sign_off, clear_reversal"
)
DEFAULT_CARD: Final = "debit"
_MARKS: Final = {"approved": "✓", "done": "✓", "refused": "✗", "unknown": "?", "cancelled": "–"}

app = new_app()


@app.command()
def terminal(
    *,
    connect: Annotated[str, typer.Option("--connect", metavar="URL", help="The host's endpoint.")] = DEFAULT_LISTEN,
    key_card: Annotated[
        Path | None, typer.Option(metavar="FILE", help="From poslab admin key-card; names the till too.")
    ] = None,
    serial_number: Annotated[str, typer.Option(help="[default: the key card's]", show_default=False)] = "",
    model: Annotated[str, typer.Option(help="[default: the key card's]", show_default=False)] = "",
    firmware: Annotated[str, typer.Option(help="[default: the model's]", show_default=False)] = "",
    terminal_id: Annotated[str, typer.Option(help="[default: the key card's]", show_default=False)] = "",
    merchant_id: Annotated[str, typer.Option(help="[default: the key card's]", show_default=False)] = "",
    state: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The device's memory. [default: till-SERIAL here]", show_default=False),
    ] = None,
    forgetful: Annotated[
        bool, typer.Option("--forgetful", help="Keep no memory: the next start begins at STAN 000001 again.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a reply.")] = 30.0,
    believe_declines: Annotated[
        bool, typer.Option(help="Believe a decline without a MAC, as many hosts send it.")
    ] = False,
    do: Annotated[
        list[str] | None, typer.Option("--do", metavar="FLOW", help=f"May be repeated: {_FLOWS_HELP}.")
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Run one terminal: the flows given with --do, or a prompt that takes the same words.

    Exit status 1 where a flow was refused or stays unknown, 3 where there is no line to the host. The device's memory
    outlives the command.

    \b
    Examples:
      poslab admin register 10000001 898000000000001 --serial-number LK00000001
      poslab admin key-card LK00000001 --out card.json
      poslab terminal --key-card card.json --do sign_in --do "sale 60.00" --do settle
      poslab terminal --key-card card.json --connect "serial:///dev/ttyUSB0?baud=115200"
    """
    from pos_lab.key_card import KeyCard

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="poslab: %(message)s")

    card = KeyCard.read(key_card) if key_card else None
    given = {"serial_number": serial_number, "model": model, "terminal_id": terminal_id, "merchant_id": merchant_id}
    for name, value in given.items():
        given[name] = value or (getattr(card, name) if card else "")
        if name == "serial_number" and not re.fullmatch(r"[0-9A-Za-z-]{1,20}", given[name] or "-"):
            raise typer.BadParameter("is up to 20 letters, digits and dashes", param_hint="--serial-number")
        if not given[name]:
            raise typer.BadParameter("is needed where no key card names it", param_hint=f"--{name.replace('_', '-')}")
    status = asyncio.run(
        _run(
            given,
            card,
            connect=connect,
            firmware=firmware,
            state=state or Path(f"till-{given['serial_number']}"),
            forgetful=forgetful,
            reply_timeout_s=timeout,
            believe_declines=believe_declines,
            flows=do,
            as_json=as_json,
            lang=lang,
        )
    )
    raise typer.Exit(status)


async def _run(
    given: dict[str, str],
    card: Any,
    *,
    connect: str,
    firmware: str,
    state: Path,
    forgetful: bool,
    reply_timeout_s: float,
    believe_declines: bool,
    flows: list[str] | None,
    as_json: bool,
    lang: Lang,
) -> Status:
    from firmware_sim.board import Hardware
    from firmware_sim.models import find_model
    from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
    from pos_lab.wall_clock import fresh_bytes, wall_clock
    from terminal.app import Terminal
    from terminal.settings import Settings

    model = find_model(given["model"])
    hardware = Hardware.make(
        model,
        given["serial_number"],
        factory_image=make_image(model, firmware or model.factory_firmware),
        vendor_public_key=VENDOR_PUBLIC_KEY,
        url=connect,
        now=wall_clock,
        fresh=fresh_bytes,
        directory=None if forgetful else state,
    )
    try:
        try:
            settings = Settings(
                terminal_id=given["terminal_id"],
                merchant_id=given["merchant_id"],
                reply_timeout_s=reply_timeout_s,
                decline_mac="optional" if believe_declines else "required",
            )
        except ValidationError as error:
            first = error.errors()[0]
            option = f"--{str(first['loc'][0]).replace('_', '-')}"
            raise typer.BadParameter(first["msg"], param_hint=option) from None
        device = Terminal(hardware, settings)
        if card:
            card.load(device.board.secure_module)
        good = True
        source = _given(flows) if flows is not None else _typed(lang, interactive=not as_json)
        async for words in source:
            good &= await _play(device, words, as_json=as_json, lang=lang, stop_on_error=flows is not None)
        if device.book.unresolved and forgetful:
            typer.echo("冲正未完成，已随内存丢失" if lang is Lang.ZH else "a pending reversal is forgotten", err=True)
        if any(outcome.reason == "terminal.no_line" for outcome in device.told):
            return Status.ENVIRONMENT
        return Status.DONE if good else Status.FAILED
    finally:
        hardware.close()


async def _given(flows: list[str]) -> AsyncIterator[list[str]]:
    for flow in flows:
        yield flow.split() or [flow]


async def _typed(lang: Lang, *, interactive: bool) -> AsyncIterator[list[str]]:
    """Lines from standard input until it ends or somebody types ``quit``; ``help`` lists the flows."""
    from terminal.flows import FLOWS

    prompt = "pos> " if interactive and sys.stdin.isatty() else ""
    while True:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = await asyncio.to_thread(sys.stdin.readline)
        words = line.split()
        if not line or words[:1] in (["quit"], ["exit"]):
            return
        if words[:1] == ["help"]:
            for flow in FLOWS.values():
                typer.echo(f"{flow.usage:32} {flow.chinese if lang is Lang.ZH else flow.english}", err=True)
        elif words:
            yield words


async def _play(device: Any, words: list[str], *, as_json: bool, lang: Lang, stop_on_error: bool) -> bool:
    from firmware_sim.errors import DeviceError
    from terminal.errors import TerminalError, WordsWrong
    from terminal.flows import FLOWS

    name, *arguments = words
    flow = FLOWS.get(name)
    if flow and len(arguments) == 1 and [entry.argument for entry in flow.entries][:2] == ["amount", "card"]:
        arguments.append(DEFAULT_CARD)
    seen = len(device.told)
    try:
        if flow and not arguments and not all(entry.optional for entry in flow.entries):
            raise WordsWrong(f"nothing given to {flow.usage!r}", hint=flow.english)  # nobody is at the keypad
        outcome = await device.do(name, *arguments)
    except (TerminalError, DeviceError) as error:
        if stop_on_error:
            raise
        print_error(error, as_json=as_json)
        return False
    for told in device.told[seen:]:
        if as_json:
            print_json(_document(told))
        else:
            _tell(told, lang)
    if device.reboot_due:
        device.reboot()
    return bool(outcome.is_good)


def _tell(outcome: Any, lang: Lang) -> None:
    zh = lang is Lang.ZH
    text, remedy = (outcome.text_zh, outcome.remedy_zh) if zh else (outcome.text_en, outcome.remedy_en)
    parts = [_MARKS[outcome.result], outcome.code, text, f"→ {remedy}" if remedy else ""]
    typer.echo(" ".join(filter(None, parts)))
    for line in outcome.receipt_zh if zh else outcome.receipt_en:
        typer.echo(f"    {line}")


def _document(outcome: Any) -> dict[str, object]:
    names = (
        "flow",
        "result",
        "code",
        "reason",
        "text_zh",
        "text_en",
        "remedy_zh",
        "remedy_en",
        "stan",
        "rrn",
        "amount_fen",
    )
    return {**{name: getattr(outcome, name) for name in names}, "detail": dict(outcome.detail)}
