"""``poslab doctor``: why a message or a peer is not understood, and which setting would cure it.

Rules owned here: what an input may be (an endpoint, a file, hex, standard input), and the exit status: 0 understood,
1 understood with findings, 2 nothing understood; of several inputs the greatest.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer

from pos_lab.capture import Packet, Place, is_capture, read_streams, write_capture
from pos_lab.commands.calculator import octets, refuse
from pos_lab.commands.output import JsonOption, LangOption, UnmaskOption, new_app, print_json
from pos_lab.dissector import name_of
from pos_lab.doctor.dump import chunks
from pos_lab.doctor.examination import Case, Keys, examine
from pos_lab.doctor.hypothesis import ALL_DIALECTS, DUMP, WIRE
from pos_lab.doctor.peer import ask, echo
from pos_lab.doctor.report import as_document, as_lines, verdict_of
from pos_lab.doctor.symptom import Finding
from protocol.dialect import Dialect
from protocol.dialects import DIALECTS
from protocol.transport.endpoint import FORMS, Endpoint

_FILE_BYTES_MAX: Final = 256 * 1024 * 1024
_SUFFIXES: Final = (".pcap", ".pcapng", ".cap", ".log", ".txt", ".json", ".bin", ".hex", ".dump")
"""A word that ends like this is meant as a file."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""What no text has; an escape may colour a log."""


@dataclass(frozen=True, slots=True)
class Given:
    """Bytes of one input, from a line or from a text, and what was odd about how they were given."""

    name: str
    data: bytes = field(repr=False)
    findings: tuple[Finding, ...] = ()
    source: str = DUMP
    places: tuple[Place, Place] = (Place(), Place())
    at_us: int = 0


def read_given(text: str) -> Iterator[Given]:
    """Every run of bytes that an argument names or holds.

    Raises CaptureError for a damaged capture, EncodeError for the name of what is no file, EndpointWrong for the URL of
    what is no endpoint.
    """
    if text == "-":
        yield from _of_bytes("-", sys.stdin.buffer.read())
    elif _is(Path.is_file, text) or _is(Path.is_fifo, text):
        if Path(text).stat().st_size > _FILE_BYTES_MAX:
            refuse(f"the file is larger than {_FILE_BYTES_MAX} bytes", hint="cut the capture into pieces")
        yield from _of_bytes(text, Path(text).read_bytes())
    else:
        _refuse_names(text)
        yield from _of_text("hex", text)


def _refuse_names(text: str) -> None:
    """Raises EncodeError for the name of what is no file, EndpointWrong for a URL of no endpoint; not for hex."""
    if any(chunks(text)) and not text.lower().endswith(_SUFFIXES):
        return
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        Endpoint.parse(text)
    if _is(Path.is_dir, text):
        refuse(f"{text} is a directory", hint="name a file in it")
    if not re.search(r"\s", text) and ("/" in text or text.lower().endswith(_SUFFIXES)):
        refuse(f"there is no such file: {text}")


def _is(kind: Callable[[Path], bool], text: str) -> bool:
    try:
        return kind(Path(text))
    except OSError:  # hex is longer than a name may be
        return False


def _of_bytes(name: str, raw: bytes) -> Iterator[Given]:
    if is_capture(raw):
        for packet in read_streams(raw):
            arrow = (
                f"{packet.source.address}:{packet.source.port} > {packet.destination.address}:{packet.destination.port}"
            )
            places = packet.source, packet.destination
            yield Given(f"{name} {arrow}", packet.data, (), WIRE, places, packet.at_us)
        return
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        yield Given(name, raw, (), WIRE)
        return
    if _CONTROL.search(text):
        yield Given(name, raw, (), WIRE)
    else:
        yield from _of_text(name, text)


def _of_text(name: str, text: str) -> Iterator[Given]:
    found = list(chunks(text))
    for number, chunk in enumerate(found, 1):
        yield Given(f"{name}#{number}" if len(found) > 1 else name, chunk.data, chunk.findings)
    if not found:
        yield Given(name, b"", (Finding("not_hex"),))


app = new_app()


@app.command()
def doctor(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Hex, a dump, log, pcap or pcapng file, or a URL; - reads.")
    ],
    *,
    mak: Annotated[str, typer.Option(metavar="HEX", help="The clear MAC key: say why a MAC is wrong.")] = "",
    tmk: Annotated[str, typer.Option(metavar="HEX", help="The clear master key: say why check values differ.")] = "",
    dialect: Annotated[
        str, typer.Option(metavar="auto|" + "|".join(DIALECTS), help="Read under this dialect alone.")
    ] = "auto",
    pcap: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the messages as pcapng too; takes --unmask."),
    ] = None,
    terminal: Annotated[str, typer.Option(help="Field 41 of the echo to a URL.")] = "00000000",
    merchant: Annotated[str, typer.Option(help="Field 42 of the echo to a URL.")] = "000000000000000",
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.01, help="Seconds that a peer has for each way to ask.")
    ] = 2.0,
    unmask: UnmaskOption = False,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Say why a message or a peer is not understood, and which setting cures it.

    \b
    Examples:
      poslab doctor "0034 6000030000 603200000000 0820 0000000000C00010 3632303030303031 \\
        313030303030303030303030303031 0011000000013010"
      poslab doctor capture.pcapng --mak 33333333333333333333333333333333
      poslab doctor "tcp://127.0.0.1:8583"
      poslab doctor "tls://127.0.0.1:8583?ca=lab/ca.pem"

    Exit status: 0 understood, 1 understood with findings, 2 not understood.
    """
    if pcap and not unmask:
        refuse("--pcap writes card data as it came", hint="say --unmask if the file may hold it")
    if dialect not in ("auto", *DIALECTS):
        refuse(f"--dialect: there is no {dialect!r}", hint=f"auto, {', '.join(DIALECTS)}")
    dialects: tuple[Dialect, ...] = ALL_DIALECTS if dialect == "auto" else (DIALECTS[dialect],)
    keys = Keys(octets("--mak", mak) if mak else b"", octets("--tmk", tmk) if tmk else b"")
    status, packets = 0, list[Packet]()
    for text in inputs:
        if text.partition(":")[0] in FORMS or text.startswith("serial+"):
            cases, found = asyncio.run(ask(text, echo(terminal, merchant), timeout_s))
            told = [(Given(text, b""), cases, found)]
        else:
            told = [
                (given, examine(given.data, keys=keys, dialects=dialects, source=given.source), list(given.findings))
                for given in read_given(text)
            ]
        for given, cases, found in told:
            status = max(status, verdict_of(cases, found).value)
            packets += _packets(given, cases)
            if as_json:
                print_json(as_document(given.name, cases, found, unmask=unmask, lang=lang.code))
            else:
                lines = as_lines(given.name, cases, found, unmask=unmask, lang=lang.code)
                typer.echo("\n".join(lines))
    if pcap:
        with pcap.open("wb") as file:
            write_capture(file, packets)
    raise typer.Exit(status)


def _packets(given: Given, cases: list[Case]) -> list[Packet]:
    """A packet for every message that was understood, without its frame, the findings as its comment."""
    return [
        Packet(
            case.data[case.hypothesis.cut.start : case.hypothesis.cut.end],
            given.at_us,
            *given.places,
            "; ".join(f"{each.code}: {each.text('en')}" for each in case.findings),
            name_of(case.hypothesis.reading.dialect),
        )
        for case in cases
        if case.hypothesis
    ]
