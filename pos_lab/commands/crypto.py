"""``poslab crypto``: the calculator for MACs, check values, PIN blocks, tracks and key downloads.

Rules owned here: keys and PINs that were typed are shown as they are, for this is a calculator; a check value that
differs is the verdict "failed". What chips need is in ``crypto_chip``, what TLS needs in ``crypto_certificates``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pos_lab.commands import crypto_certificates, crypto_chip
from pos_lab.commands.calculator import judge, named, octets, refuse, spell, tell
from pos_lab.commands.output import JsonOption, new_app
from pos_lab.wall_clock import fresh_bytes
from protocol.crypto.cipher import CIPHERS, SM4, TDES, BlockCipher
from protocol.crypto.key import MacKey, PinKey, TrackKey
from protocol.crypto.keys import (
    CHECK_VALUE_BYTES,
    LAYOUTS,
    SPELT_EXAMPLE,
    TYPED,
    check_value,
    open_keys,
    split_keys,
    unwrap_key,
)
from protocol.crypto.mac import MAC_ALGORITHMS
from protocol.crypto.pinblock import PIN_FORMATS
from protocol.crypto.tmk_download import (
    pack_master_key,
    pack_public_key,
    read_private_key,
    transport_key,
    unpack_master_key,
    unpack_public_key,
)
from protocol.crypto.track import (
    TRACK2_CHARACTERS,
    TRACK3_CHARACTERS,
    decrypt_track,
    encrypt_track,
    track_window,
    window_place,
)
from protocol.feature_code import feature_code

_KEY_CIPHERS: Final = {name: CIPHERS[name] for name in ("des", "3des", "sm4")}
_WORKING_CIPHERS: Final = {name: CIPHERS[name] for name in ("3des", "sm4")}
_AUTO: Final = "auto"
_LAYOUTS: Final = (_AUTO, *LAYOUTS, TYPED)

_TRACK2: Final = ("digits around one separator", re.compile(r"[0-9]{1,19}D[0-9]*"))
_TRACK3: Final = ("digits with separators after the first of them", re.compile(r"[0-9]{1,21}D[0-9D]*"))
"""What a clear track looks like; the window of an encrypted one may hold any digit."""

CipherOption = Annotated[str, typer.Option(metavar="|".join(_WORKING_CIPHERS), help="The cipher of the keys.")]
KeyHex = Annotated[str, typer.Option(metavar="HEX", help="The key, clear.")]

app = new_app()


@app.callback()
def _crypto() -> None:
    """Calculate what UnionPay POS terminals and hosts calculate: one sub-command a question.

    \b
    Examples:
      poslab crypto kcv --key 11111111111111111111111111111111
      poslab crypto pinblock --format x98 --pin 1234 --pan 6200000100001235
      poslab crypto mac --help
    """


@app.command()
def mac(
    *,
    key: KeyHex,
    data: Annotated[str, typer.Option(metavar="HEX", help="MTI up to the byte before field 64; - reads it.")],
    algorithm: Annotated[str, typer.Option(metavar="|".join(MAC_ALGORITHMS), help="How field 64 is made.")] = "cup-ecb",
    as_json: JsonOption = False,
) -> None:
    """Make field 64.

    \b
    Example:
      poslab crypto mac --algorithm cup-ecb --key 3333333333333333 --data 0820000000000000001100
    """
    chosen = named("--algorithm", algorithm, MAC_ALGORITHMS)
    made = chosen.make(MacKey(octets("--key", key)), octets("--data", data))
    tell({"mac": chosen.shown(made), "field64": spell(made)}, as_json)


@app.command()
def kcv(
    *,
    key: Annotated[str, typer.Option(metavar="HEX", help="The key: clear, or encrypted under --under.")],
    under: Annotated[str, typer.Option(metavar="HEX", help="The clear master key that KEY is encrypted under.")] = "",
    cipher: Annotated[str, typer.Option(metavar="|".join(_KEY_CIPHERS), help="The cipher of the key.")] = "3des",
    size: Annotated[int, typer.Option("--bytes", min=1, max=8, help="How much of it.")] = CHECK_VALUE_BYTES,
    as_json: JsonOption = False,
) -> None:
    """Make the check value of a key; 8 bytes of 3des key are a DES key.

    \b
    Example:
      poslab crypto kcv --key 950973182317F80B950973182317F80B --under 11111111111111111111111111111111
    """
    chosen = named("--cipher", cipher, _KEY_CIPHERS)
    clear = octets("--key", key)
    if under:
        clear = unwrap_key(octets("--under", under), clear, SM4 if chosen is SM4 else TDES)
    tell({"kcv": spell(check_value(clear, chosen, size)), "key": spell(clear)}, as_json)


@app.command()
def unwrap(
    *,
    tmk: Annotated[str, typer.Option(metavar="HEX", help="The clear master key.")],
    field62: Annotated[str, typer.Option(metavar="HEX", help="Field 62 of a sign-on reply; - reads it.")],
    cipher: CipherOption = "3des",
    layout: Annotated[
        str,
        typer.Option(
            metavar="|".join(_LAYOUTS),
            help=f"How field 62 is cut; auto goes by its length. Other layouts are spelt: {SPELT_EXAMPLE}.",
        ),
    ] = _AUTO,
    as_json: JsonOption = False,
) -> None:
    """Decrypt the working keys of a sign-on reply; status 1 where a check value differs.

    Slots of a layout are spelt in order: tmk, pik, mak or tdk, the bytes of the key, and after a plus those of its
    check value where they are not 4. A new master key wraps the others.

    \b
    Examples:
      poslab crypto unwrap --tmk 11111111111111111111111111111111 --field62 \\
        950973182317F80B950973182317F80B00962B60F679786E2411E3DE0000000000000000ADC67D84
      poslab crypto unwrap --tmk 11111111111111111111111111111111 --layout mak8,pik16 --field62 \\
        F679786E2411E3DEADC67D84950973182317F80B950973182317F80B00962B60
    """
    chosen = named("--cipher", cipher, _WORKING_CIPHERS)
    master, wrapped, cut = octets("--tmk", tmk), octets("--field62", field62), None if layout == _AUTO else layout
    opened = open_keys(master, wrapped, chosen, cut)
    keys: dict[str, Any] = {"pik": None, "mak": None, "tdk": None}
    for each in opened:
        keys[each.key.use.value.lower()] = {
            "key": spell(each.key),
            "kcv": spell(each.check_value),
            "ok": each.is_right,
        }
    passed = all(each.is_right for each in opened)
    tell({"keys": keys} if passed else {"keys": keys, "hint": _cure(master, wrapped, chosen, cut)}, as_json)
    judge(passed)


def _cure(tmk: bytes, field62: bytes, cipher: BlockCipher, layout: str | None) -> str:
    """What would make the check values right, as far as trying tells."""
    for name, other in _WORKING_CIPHERS.items():
        if other is not cipher and len(tmk) in other.key_lengths_bytes and _opens(tmk, field62, other, layout):
            return f"all check values are right with --cipher {name}"
    return "another master key, or another --layout of the same length"


def _opens(tmk: bytes, field62: bytes, cipher: BlockCipher, layout: str | None) -> bool:
    slots = split_keys(field62, layout, cipher)
    if any(len(each.wrapped) not in cipher.key_lengths_bytes for each in slots):
        return False
    return all(each.is_right for each in open_keys(tmk, field62, cipher, layout))


@app.command()
def pinblock(
    *,
    form: Annotated[
        str, typer.Option("--format", metavar="|".join(PIN_FORMATS), help="The form of the block.")
    ] = "x98",
    pin: Annotated[str, typer.Option(help="The PIN, to make a block.")] = "",
    block: Annotated[str, typer.Option(metavar="HEX", help="A block under --key, to read its PIN.")] = "",
    pan: Annotated[str, typer.Option(help="The card number, for all forms but x98-nopan.")] = "",
    key: Annotated[str, typer.Option(metavar="HEX", help="The PIN key.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a PIN block, clear and under a key, or read the PIN in one.

    \b
    Example:
      poslab crypto pinblock --format x98 --pin 1234 --pan 6200000100001235 \\
        --key 22222222222222222222222222222222
    """
    chosen = named("--format", form, PIN_FORMATS)
    if bool(pin) == bool(block):
        refuse("either --pin or --block is due")
    if chosen.binds_pan and not pan:
        refuse(f"--pan is due for {chosen.name}")
    if block and not key:
        refuse("--key is due to read a block")
    pik = PinKey(octets("--key", key)) if key else None
    if block and pik:
        tell({"pin": chosen.decrypt(pik, octets("--block", block), pan)}, as_json)
        return
    clear = chosen.clear(pin, pan, fresh_bytes)
    tell({"clear": spell(clear), "block": spell(chosen.seal(pik, clear, pan)) if pik else None}, as_json)


@app.command()
def track(
    *,
    track2: Annotated[str, typer.Option(help="Track 2, its separator D or =.")] = "",
    track3: Annotated[str, typer.Option(help="Track 3, its separators D or =.")] = "",
    tdk: Annotated[str, typer.Option(metavar="HEX", help="The track key.")] = "",
    cipher: CipherOption = "3des",
    decrypt: Annotated[bool, typer.Option("--decrypt", help="The track holds an encrypted window.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the window of a track, and the track with that window encrypted or decrypted.

    \b
    Example:
      poslab crypto track --track2 6200000100001235D30122010000012300000 --tdk 44444444444444444444444444444444
    """
    if bool(track2) == bool(track3):
        refuse("either --track2 or --track3 is due")
    if decrypt and not tdk:
        refuse("--tdk is due to decrypt")
    given = (track2 or track3).upper().replace("=", "D")
    option, most = ("--track2", TRACK2_CHARACTERS) if track2 else ("--track3", TRACK3_CHARACTERS)
    if len(given) > most:
        refuse(f"{option}: {len(given)} characters", hint=f"a card's track has {most} at most")
    due, shape = _TRACK2 if track2 else _TRACK3
    if not decrypt and not shape.fullmatch(given):
        refuse(f"{option}: not {due}", hint="D or = is the separator")
    chosen = named("--cipher", cipher, _WORKING_CIPHERS)
    key = TrackKey(octets("--tdk", tdk)) if tdk else None
    if decrypt and key:
        clear = decrypt_track(key, given, chosen)
        tell({"window": track_window(clear, chosen), "track": clear}, as_json)
        return
    sealed = encrypt_track(key, given, chosen) if key else None
    tell(
        {
            "window": track_window(given, chosen),
            "encrypted": sealed[window_place(len(sealed), chosen)] if sealed else None,
            "track": sealed,
        },
        as_json,
    )


@app.command("feature-code")
def _feature_code(
    *,
    rrn: Annotated[str, typer.Option(help="Field 37, 12 digits.")],
    date: Annotated[str, typer.Option(help="Field 15, MMDD; without it 0000.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make the 8 characters that tie a signature to its transaction.

    \b
    Example:
      poslab crypto feature-code --date 0508 --rrn 123456789012
    """
    tell({"feature_code": feature_code(date, rrn)}, as_json)


@app.command()
def tmk(
    *,
    private: Annotated[Path | None, typer.Option(exists=True, metavar="FILE", help="The RSA private key, PEM.")] = None,
    field62: Annotated[str, typer.Option(metavar="HEX", help="Field 62 of the other side; - reads it.")] = "",
    key: Annotated[str, typer.Option(metavar="HEX", help="The master key to send.")] = "",
    rid: Annotated[str, typer.Option(metavar="HEX", help="The RID that the public key is kept under.")] = "A000000333",
    index: Annotated[str, typer.Option(metavar="HEX", help="The index that it is kept under.")] = "01",
    as_json: JsonOption = False,
) -> None:
    """Play either side of the master-key download by RSA: 352 gives the public key, 350 the encrypted key.

    \b
    Examples, in the order of the exchange:
      poslab crypto tmk --private key.pem
      poslab crypto tmk --field62 HEX --key 11111111111111111111111111111111
      poslab crypto tmk --private key.pem --field62 HEX
    """
    if bool(private) == bool(key) or (key and not field62):
        refuse("either --private, alone or with --field62, or --key with --field62 is due")
    if not private:
        to = unpack_public_key(octets("--field62", field62))
        tell({"field62": spell(pack_master_key(to, octets("--key", key), fresh_bytes))}, as_json)
        return
    own = read_private_key(private.read_bytes())
    if field62:
        received = unpack_master_key(own, octets("--field62", field62))
        tell({"key": spell(received), "kcv": spell(check_value(received))}, as_json)
        return
    public = transport_key(own, octets("--rid", rid), octets("--index", index))
    tell({"field62": spell(pack_public_key(public))}, as_json)


for _command in (crypto_chip.tlv, crypto_chip.arqc, crypto_chip.capk, crypto_certificates.certificates):
    app.command()(_command)
