"""``poslab image``: signature images, PBM to JBIG and back; firmware images are in ``image_firmware``.

Rules owned here: an image goes to a file, what was done is told on standard output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from pos_lab.commands import image_firmware
from pos_lab.commands.output import JsonOption, new_app, print_json
from protocol.jbig.bitmap import Bitmap, read_pbm, write_pbm
from protocol.jbig.decoder import decode as decode_jbig
from protocol.jbig.encoder import STRIPE_LINES_MAX, EncodeOptions
from protocol.jbig.encoder import encode as encode_jbig
from protocol.jbig.header import OFFSET_MAX, Option, Order

_DEFAULT: Final = EncodeOptions()
_BYTE_MAX: Final = 255

OutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the image is written.")]

app = new_app()


@app.callback()
def _image() -> None:
    """Turn signature images from PBM to JBIG (T.82) and back; build firmware images and look at them.

    \b
    Examples:
      poslab image encode signature.pbm --out signature.jbg
      poslab image decode signature.jbg --out signature.pbm
      poslab image build PX-E90 2.2.0 --out new.plf
      poslab image show new.plf
    """


@app.command()
def encode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A PBM image, P1 or P4; - reads standard input.")],
    *,
    out: OutOption,
    stripe_lines: Annotated[
        int, typer.Option(min=0, max=STRIPE_LINES_MAX, help="Height of a stripe; 0 makes one of the image.")
    ] = _DEFAULT.stripe_lines,
    options: Annotated[
        int, typer.Option(min=0, max=_BYTE_MAX, help="Sum of 4 DPON, 8 TPBON, 16 TPDON, 64 LRLTWO.")
    ] = int(_DEFAULT.flags),
    order: Annotated[int, typer.Option(min=0, max=_BYTE_MAX, help="Sum of 1 SMID, 2 ILEAVE, 4 SEQ, 8 HITOLO.")] = int(
        _DEFAULT.order
    ),
    offset_max: Annotated[
        int, typer.Option(min=0, max=OFFSET_MAX, help="Columns that the adaptive pixel may go to the left.")
    ] = _DEFAULT.offset_max,
    as_json: JsonOption = False,
) -> None:
    """Write a PBM image as JBIG, one layer and one plane.

    \b
    Example, as facsimile machines want it (T.85):
      poslab image encode page.pbm --options 8 --order 0 --stripe-lines 128 --offset-max 127 --out page.jbg
    """
    chosen = EncodeOptions(Option(options), Order(order), stripe_lines, offset_max)
    bitmap = read_pbm(_read(file))
    _write(out, encode_jbig(bitmap, chosen), bitmap, as_json=as_json)


@app.command()
def decode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JBIG image; - reads standard input.")],
    *,
    out: OutOption,
    as_json: JsonOption = False,
) -> None:
    """Write a JBIG image as PBM (P4).

    Read is all that T.82 allows of a bi-level image in one file: any number of layers, stripes in every order, both
    templates, both predictions, with a table of their own too. Not read are several planes (grey or colour), layers or
    a prediction table that another file holds, and an adaptive pixel that moves to another row.

    \b
    Example:
      poslab image decode signature.jbg --out signature.pbm
    """
    bitmap = decode_jbig(_read(file))
    _write(out, write_pbm(bitmap), bitmap, as_json=as_json)


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from None


def _write(out: Path, image: bytes, bitmap: Bitmap, *, as_json: bool) -> None:
    out.write_bytes(image)
    if as_json:
        print_json({"ok": True, "width": bitmap.width, "height": bitmap.height, "bytes": len(image), "file": str(out)})
    else:
        typer.echo(f"{out}: {bitmap.width} x {bitmap.height} pixels, {len(image)} bytes")


for _command in (image_firmware.build, image_firmware.show):
    app.command()(_command)
