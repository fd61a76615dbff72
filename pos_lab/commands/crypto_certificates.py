"""``poslab crypto certificates``: what a laboratory needs for tls://, with no other tool at hand.

Rules owned here: a key is readable by its owner only; no file is written over.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from pos_lab.commands.calculator import refuse
from pos_lab.commands.output import JsonOption, print_json

_FILES: Final = {
    "ca": "the CA, for the other end's ?ca=",
    "host": "the host's certificate and key",
    "terminal": "the terminal's",
    "crl": "what the CA has revoked, for ?crl=",
}


def certificates(
    *,
    out: Annotated[Path, typer.Option(file_okay=False, metavar="FOLDER", help="Made where it is not there.")],
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A name or address of the host; may be repeated. [default: localhost, 127.0.0.1]"),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long they are valid.")] = 365,
    bad: Annotated[
        bool, typer.Option("--bad", help="Bad ones too: expired, another name, another CA, self-signed, revoked …")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a lab CA, a certificate for the host and one for terminals; the key of the CA is kept nowhere.

    \b
    Examples:
      poslab crypto certificates --out lab
      poslab host --listen "tls://127.0.0.1:8583?cert=lab/host.pem&key=lab/host.key"
      poslab terminal --connect "tls://127.0.0.1:8583?ca=lab/ca.pem" --key-card card.json
      poslab crypto certificates --out bad --bad --name pos.example
    """
    from pos_lab.certificates import BAD, make_certificates
    from pos_lab.wall_clock import fresh_bytes, wall_clock

    names = name or ["localhost", "127.0.0.1"]
    try:
        files = make_certificates(names, now=wall_clock(), days=days, fresh=fresh_bytes, bad=bad)
    except ValueError as error:
        refuse(f"--name: {error}", hint="such as pos.example or 192.0.2.1")
    if there := next((out / file for file in sorted(files) if (out / file).exists()), None):
        refuse(f"--out: {there} is there already", hint="name another folder, or remove it first")
    out.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        mode = 0o600 if file.endswith(".key") else 0o644
        with os.fdopen(os.open(out / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
            opened.write(content)
    if as_json:
        print_json({"folder": str(out), "files": sorted(files)})
        return
    for file in sorted(files):
        stem = file.partition(".")[0]
        said = _FILES[stem] if stem in _FILES else BAD[stem.removeprefix("bad-")].what
        typer.echo(f"{out / file}  {said}")
