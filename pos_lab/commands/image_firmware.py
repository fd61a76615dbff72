"""``poslab image build`` and ``show``: firmware images, made and looked at.

Rules owned here: what may not run on the model of the catalogue is the verdict "failed", with the rule that it breaks.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from firmware_sim.admission import BOOT_RULES, Device, admit
from firmware_sim.errors import UpdateRefused
from firmware_sim.models import find_model
from firmware_sim.profiles import PROFILES
from pos_lab.commands.calculator import judge, tell
from pos_lab.commands.output import JsonOption
from pos_lab.vendor import IMAGE_BYTES, VENDOR_PUBLIC_KEY, make_image
from protocol.image import NEVER, PAYLOAD_BYTES_MAX, Manifest, open_image

_DAY: Final = "%Y-%m-%d"


def build(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of the catalogue.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Three dotted numbers, such as 2.2.0.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the image is written.")],
    profile: Annotated[
        str, typer.Option(metavar="|".join(PROFILES), help="How it behaves.", show_default="the model's")
    ] = "",
    security_counter: Annotated[
        int | None, typer.Option(min=0, help="Devices never go back below it.", show_default="the first number")
    ] = None,
    minimum_loader: Annotated[int, typer.Option(min=1, help="The oldest boot loader that takes it.")] = 1,
    expires: Annotated[
        datetime | None, typer.Option(formats=[_DAY], help="The day (UTC) from which it is not installed any more.")
    ] = None,
    journal_format: Annotated[int, typer.Option(min=1, help="The format of its journal.")] = 1,
    nvram_kib: Annotated[int, typer.Option(min=1, help="KiB that its journal needs.")] = 1,
    payload_bytes: Annotated[int, typer.Option(min=1, max=PAYLOAD_BYTES_MAX, help="How large it is.")] = IMAGE_BYTES,
    as_json: JsonOption = False,
) -> None:
    """Build a signed firmware image for a model, to be published with ``poslab admin publish-firmware``.

    \b
    Examples:
      poslab image build PX-E90 2.2.0 --out new.plf
      poslab image build PX-E90 2.0.9 --profile gives_up_reversals --out old.plf
    """
    image = make_image(
        find_model(model),
        version,
        profile=profile,
        security_counter=security_counter,
        minimum_loader=minimum_loader,
        expires_at=int(expires.replace(tzinfo=UTC).timestamp()) if expires else NEVER,
        journal_format=journal_format,
        nvram_kib=nvram_kib,
        payload_bytes=payload_bytes,
    )
    manifest = open_image(image, VENDOR_PUBLIC_KEY, model=model).manifest
    out.write_bytes(image)
    tell({"ok": True, "file": str(out), "bytes": len(image), **_stated(manifest)}, as_json)


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A firmware image.")], *, as_json: JsonOption = False
) -> None:
    """Say what a firmware image states, and whether its model may run it.

    \b
    Example:
      poslab image show new.plf
    """
    manifest = open_image(file.read_bytes(), VENDOR_PUBLIC_KEY, model=None).manifest
    reason, code = "", ""
    try:
        admit(manifest, Device(find_model(manifest.model), security_counter=0), BOOT_RULES)
    except UpdateRefused as refused:
        reason, code = refused.message, refused.code
    tell({"ok": not code, **_stated(manifest), "refused": code or None, "reason": reason or None}, as_json)
    judge(not code)


def _stated(manifest: Manifest) -> dict[str, object]:
    """The manifest, its expiry as a day and its profile in words."""
    expires = manifest.expires_at
    profile = PROFILES.get(manifest.profile)
    return {
        **asdict(manifest),
        "expires": "never" if expires == NEVER else f"{datetime.fromtimestamp(expires, UTC):{_DAY}}",
        "behaviour": profile.english if profile else "",
    }
