"""``poslab crypto tlv``, ``arqc`` and ``capk``: the data and the cryptograms of chip cards.

Rules owned here: chip data is masked unless ``--unmask`` is given; a cryptogram or a check value that differs is the
verdict "failed".
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from pos_lab.commands.calculator import judge, named, octets, refuse, spell, tell
from pos_lab.commands.output import JsonOption, LangOption, UnmaskOption, print_json
from protocol.crypto.cryptogram import (
    PADDINGS,
    application_cryptogram,
    arpc_1,
    arpc_2,
    card_key,
    session_key,
    verify_cryptogram,
)
from protocol.crypto.key import IssuerKey
from protocol.emv import capk_check_value, cryptogram_data, decode_chip_data, describe, verify_capk
from protocol.tlv import Padding, decode, value_of

_FILLERS: Final = {padding.name.lower(): padding for padding in Padding}
_ATC: Final = 0x9F36
_CRYPTOGRAM: Final = 0x9F26
_DOWNLOAD_FLAG: Final = b"1"


def tlv(
    data: Annotated[str, typer.Argument(metavar="HEX", help="Field 55, a receipt, a download; - reads it.")],
    *,
    padding: Annotated[
        str, typer.Option(metavar="|".join(_FILLERS), help="Which 00 and FF bytes are dropped.")
    ] = "none",
    flat: Annotated[bool, typer.Option("--flat", help="Open no object: receipts have text under such tags.")] = False,
    unmask: UnmaskOption = False,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Explain chip data: tags, names and values in their order.

    \b
    Example:
      poslab crypto tlv 9F360202069F26089C0A057796D091E39F270180
    """
    policy, raw = named("--padding", padding, _FILLERS), octets("HEX", data)
    nodes = decode_chip_data(raw) if policy is Padding.NONE and not flat else decode(raw, padding=policy, flat=flat)
    rows = list(describe(nodes, unmask=unmask, lang=lang.code))
    if as_json:
        print_json(
            {
                "nodes": [
                    {"tag": r.tag, "name": r.name, "length": r.length, "depth": r.depth, "value": r.shown} for r in rows
                ]
            }
        )
        return
    for row in rows:
        typer.echo(f"{'  ' * row.depth}{row.tag}  {row.name}, {row.length} bytes  {row.shown}".rstrip())


def arqc(
    *,
    issuer_key: Annotated[str, typer.Option(metavar="HEX", help="The issuer's master key for cryptograms.")],
    pan: Annotated[str, typer.Option(help="The card number.")],
    sequence: Annotated[str, typer.Option(help="The PAN sequence number, 2 digits.")] = "00",
    field55: Annotated[str, typer.Option(metavar="HEX", help="Field 55 with an ARQC to verify; - reads it.")] = "",
    atc: Annotated[str, typer.Option(metavar="HEX", help="Without field 55: the transaction counter.")] = "",
    data: Annotated[str, typer.Option(metavar="HEX", help="Without field 55: what the ARQC is over.")] = "",
    padding: Annotated[str, typer.Option(metavar="|".join(PADDINGS), help="How the data is filled.")] = "zero",
    response: Annotated[str, typer.Option(metavar="HEX", help="Response code for an ARPC by method 1.")] = "",
    status: Annotated[str, typer.Option(metavar="HEX", help="Card status update for an ARPC by method 2.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make an ARQC, or verify that of field 55 (status 1 where it differs), and the ARPC that answers it.

    \b
    Example:
      poslab crypto arqc --issuer-key 0123456789ABCDEFFEDCBA9876543210 --pan 6200000100001235 \\
        --atc 0001 --data 000000000100 --response 3030
    """
    fill = named("--padding", padding, {name: name for name in PADDINGS})
    if bool(field55) == bool(atc or data) or (not field55 and not (atc and data)):
        refuse("either --field55 or --atc and --data are due")
    if response and status:
        refuse("either --response or --status is due")
    card = card_key(IssuerKey(octets("--issuer-key", issuer_key)), pan, sequence)
    chip = decode_chip_data(octets("--field55", field55)) if field55 else ()
    session = session_key(card, value_of(chip, _ATC) if chip else octets("--atc", atc))
    over = cryptogram_data(chip) if chip else octets("--data", data)
    made = application_cryptogram(session, over, fill)
    is_right = verify_cryptogram(session, over, value_of(chip, _CRYPTOGRAM), fill) if chip else None
    document: dict[str, Any] = {"card_key": spell(card), "session_key": spell(session), "arqc": spell(made)}
    document |= {} if is_right is None else {"ok": is_right}
    if response:
        code = octets("--response", response)
        document["arpc"] = spell(arpc_1(session, made, code))
    if status:
        update = octets("--status", status)
        document["arpc"] = spell(arpc_2(session, made, update))
    tell(document, as_json)
    judge(is_right is not False)


def capk(
    *,
    field62: Annotated[str, typer.Option(metavar="HEX", help="A download reply to verify; - reads it.")] = "",
    rid: Annotated[str, typer.Option(metavar="HEX", help="Without field 62: the RID, 5 bytes.")] = "",
    index: Annotated[str, typer.Option(metavar="HEX", help="Without field 62: the index, one byte.")] = "",
    modulus: Annotated[str, typer.Option(metavar="HEX", help="Without field 62.")] = "",
    exponent: Annotated[str, typer.Option(metavar="HEX", help="Without field 62.")] = "03",
    as_json: JsonOption = False,
) -> None:
    """Make the check value of a CA public key, or verify that of a download; status 1 where it differs.

    \b
    Example:
      poslab crypto capk --rid A000000333 --index 08 --modulus B61645ED --exponent 03
    """
    parts = (rid, index, modulus)
    if bool(field62) == all(parts) or (field62 and any(parts)):
        refuse("either --field62 or --rid, --index and --modulus are due")
    if field62:
        is_right = verify_capk(decode(octets("--field62", field62).removeprefix(_DOWNLOAD_FLAG)))
        tell({"ok": is_right}, as_json)
        judge(is_right)
        return
    number = int.from_bytes(octets("--index", index), "big")
    made = capk_check_value(octets("--rid", rid), number, octets("--modulus", modulus), octets("--exponent", exponent))
    tell({"check_value": spell(made)}, as_json)
