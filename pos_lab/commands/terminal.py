"""``poslab terminal``: one emulated terminal in front of a host, by hand or by a list of flows."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from firmware_sim.network import NETWORKS, Network, find_network
from firmware_sim.profiles import PROFILES
from pos_lab.commands.host import DEFAULT_LISTEN, told_to_end
from pos_lab.commands.output import JsonOption, Lang, LangOption, Status, new_app, print_json
from protocol.transport import check
from terminal.flows import FLOWS

DEFAULT_CARD: Final = "debit"
_FLOWS_HELP: Final = "; ".join(flow.usage for flow in FLOWS.values())

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
    profile: Annotated[
        str,
        typer.Option(
            help=f"How the firmware of a new device behaves: {', '.join(PROFILES)}.", show_default="the firmware's"
        ),
    ] = "",
    network: Annotated[str, typer.Option(help=f"What the line goes through: {', '.join(NETWORKS)}.")] = "direct",
    terminal_id: Annotated[str, typer.Option(help="[default: the key card's]", show_default=False)] = "",
    merchant_id: Annotated[str, typer.Option(help="[default: the key card's]", show_default=False)] = "",
    state: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The device's memory. [default: till-SERIAL here]", show_default=False),
    ] = None,
    forgetful: Annotated[
        bool, typer.Option("--forgetful", help="Keep no memory: the next start begins at STAN 000001 again.")
    ] = False,
    refurbish: Annotated[
        bool, typer.Option("--refurbish", help="First make it a new device, as the depot does: no key, no memory.")
    ] = False,
    lose_unsettled: Annotated[
        bool, typer.Option("--lose-unsettled", help="With --refurbish: also where its memory holds unsettled money.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a reply.")] = 30.0,
    believe_declines: Annotated[
        bool, typer.Option(help="Believe a decline without a MAC, as many hosts send it.")
    ] = False,
    do: Annotated[
        list[str] | None,
        typer.Option("--do", metavar="FLOW", help=f"A flow with its words; may be repeated: {_FLOWS_HELP}."),
    ] = None,
    console: Annotated[
        str,
        typer.Option(
            "--console",
            metavar="URL",
            help="Let programs press keys and read the screen: lines of JSON at tcp://127.0.0.1:0.",
            show_default=False,
        ),
    ] = "",
    expose_console: Annotated[
        bool, typer.Option("--expose-console", help="Let other machines reach the console: they operate the device.")
    ] = False,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Run one terminal: the flows given with --do, or its screen and a prompt for flows, keys, cards and strokes.

    What the words of a flow do not give is asked for on the screen; help lists what may be typed. With --console and
    no terminal at standard input, it serves programs until it is stopped. Exit status 1 where a flow was refused or
    stays unknown, 3 where there is no line to the host. The device's memory outlives the command.

    \b
    Examples:
      poslab admin register 10000001 898000000000001 --serial-number LK00000001
      poslab admin key-card LK00000001 --out card.json
      poslab terminal --key-card card.json --do sign_in --do "sale 60.00" --do settle
      poslab terminal --key-card card.json --console tcp://127.0.0.1:0 --json
      poslab terminal --key-card card.json --network gprs --do "sale 60.00"
      poslab terminal --key-card card.json --connect "tls://127.0.0.1:8583?ca=lab/ca.pem"
      poslab terminal --key-card card.json --connect "serial:///dev/ttyUSB0?baud=115200"
    """
    from pos_lab.key_card import KeyCard

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="poslab: %(message)s")

    if console:
        from pos_lab.console.port import check_endpoint

        check_endpoint(console, exposed=expose_console)
        if do is not None:
            raise typer.BadParameter("has no use beside --do", param_hint="--console")
    check(connect)
    if lose_unsettled and not refurbish:
        raise typer.BadParameter("has no use without --refurbish", param_hint="--lose-unsettled")
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
            network=find_network(network),
            firmware=firmware,
            profile=profile,
            state=state or Path(f"till-{given['serial_number']}"),
            forgetful=forgetful,
            refurbish=refurbish,
            lose_unsettled=lose_unsettled,
            reply_timeout_s=timeout,
            believe_declines=believe_declines,
            flows=do,
            console=console,
            until_eof=until_eof,
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
    network: Network,
    firmware: str,
    profile: str,
    state: Path,
    forgetful: bool,
    refurbish: bool,
    lose_unsettled: bool,
    reply_timeout_s: float,
    believe_declines: bool,
    flows: list[str] | None,
    console: str,
    until_eof: bool,
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
        factory_image=make_image(model, firmware or model.factory_firmware, profile=profile),
        vendor_public_key=VENDOR_PUBLIC_KEY,
        url=connect,
        now=wall_clock,
        fresh=fresh_bytes,
        directory=None if forgetful else state,
    )
    hardware.network = network
    try:
        if refurbish:
            if not lose_unsettled:
                _refuse_losing(hardware)
            hardware.refurbish()
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

        def load(board: Any) -> None:
            if card:
                card.load(board.secure_module)

        if flows is None:
            ended = told_to_end(until_eof=until_eof)
            desk = await _attend(hardware, settings, load, ended, console=console, as_json=as_json, lang=lang)
            told, good, book = ([], True, desk.book) if console else (desk.told, desk.all_good, desk.book)
        else:
            device = Terminal(hardware, settings)
            load(device.board)
            played = [await _play(device, flow.split() or [flow], as_json=as_json, lang=lang) for flow in flows]
            told, good, book = device.told, all(played), device.book
        if forgetful and book.unresolved:
            typer.echo("冲正未完成，已随内存丢失" if lang is Lang.ZH else "a pending reversal is forgotten", err=True)
        if any(outcome.reason == "terminal.no_line" for outcome in told):
            return Status.ENVIRONMENT
        return Status.DONE if good else Status.FAILED
    finally:
        hardware.close()


def _refuse_losing(hardware: Any) -> None:
    """Raises BadParameter where a memory holds money that nobody has settled, or nobody can tell what it holds."""
    from firmware_sim.errors import BootFailed, NvramCorrupt, SecureModuleError
    from protocol.money import yuan
    from terminal.errors import TerminalError
    from terminal.journal import read_book

    told = ""
    try:
        if unsettled := read_book(hardware.power_on().nvram).unsettled:
            total = yuan(sum(row.amount_fen for row in unsettled))
            what = f"would lose {len(unsettled)} transaction{'s' * (len(unsettled) > 1)} of {total} yuan in all"
            told = f"{what}, which nobody has settled: settle first, or add --lose-unsettled"
    except (BootFailed, NvramCorrupt, SecureModuleError, TerminalError) as error:
        told = f"nobody can tell what would be lost ({error}): add --lose-unsettled"
    if told:
        raise typer.BadParameter(told, param_hint="--refurbish")


async def _attend(
    hardware: Any, settings: Any, load: Any, ended: asyncio.Event, *, console: str, as_json: bool, lang: Lang
) -> Any:
    """Let people or programs operate the terminal until they leave or ``ended`` is set; returns its Desk.

    What programs were told is theirs to judge: a console has no verdict.
    """
    from pos_lab.console.desk import Desk
    from pos_lab.console.keyboard import Keyboard
    from pos_lab.console.port import serving
    from pos_lab.console.shell import Shell

    keyboard = Keyboard(sys.stdin.fileno() if sys.stdin else os.open(os.devnull, os.O_RDONLY))
    desk = Desk(hardware, settings, load)
    desk.switch_on()
    async with AsyncExitStack() as stack:
        if console:
            url = await stack.enter_async_context(serving(desk, console))
            if as_json:
                print_json({"console": url})
            else:
                typer.echo(f"控制台 {url}" if lang is Lang.ZH else f"console at {url}")
            sys.stdout.flush()
        tasks = await stack.enter_async_context(desk.attended())
        leaving: list[asyncio.Task[Any]] = [tasks.create_task(ended.wait())]
        if keyboard.is_terminal or not console:
            leaving.append(tasks.create_task(Shell(desk, keyboard, lang.code, as_json=as_json).run()))
        await asyncio.wait(leaving, return_when=asyncio.FIRST_COMPLETED)
        for task in leaving:
            task.cancel()
        await asyncio.wait(leaving)
    return desk


async def _play(device: Any, words: list[str], *, as_json: bool, lang: Lang) -> bool:
    """Play a flow of --do; what it asks for and is not given, nobody answers."""
    from pos_lab.console.desk import outcome_document, slip_document
    from pos_lab.console.shell import outcome_lines
    from terminal.errors import WordsWrong

    name, *arguments = words
    flow = FLOWS.get(name)
    if flow and len(arguments) == 1 and [entry.argument for entry in flow.entries][:2] == ["amount", "card"]:
        arguments.append(DEFAULT_CARD)
    if flow and not arguments and not all(entry.optional for entry in flow.entries):
        raise WordsWrong(f"nothing given to {flow.usage!r}", hint=flow.english)
    seen = len(device.told)
    outcome = await device.do(name, *arguments)
    for told in device.told[seen:]:
        if as_json:
            print_json(outcome_document(told))
        else:
            typer.echo("\n".join(outcome_lines(slip_document(told), lang.code)))
    if device.reboot_due:
        device.reboot()
    return bool(outcome.is_good)
