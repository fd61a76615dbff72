"""The catalogue and its dates: blocklist in and out, who is affected, certificates, firmware (product G1 to G8, R14).

Rules owned here: what a blocklist looks like. It is CSV with the columns of BLOCKLIST; every line is right or none is
taken, and each that is wrong is named with its line.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

from host.admin.desk import Desk, Result
from host.decision import Update
from host.errors import AdminError
from host.lifecycle import IN_SERVICE
from host.model_rules import CAPABILITIES
from host.policy import DAY_S
from host.records import DeviceModel, columns
from host.rollout import stage_of
from host.written import CHINA_TIME, moment_at, shown

BLOCKLIST: Final = ("model", "brand", "family", "stop_date", "reason")
ROWS_MAX: Final = 10_000
MISTAKES_SHOWN: Final = 5
LEVEL_MAX: Final = 9
_CELL_MAX: Final = 40


def add_model(
    desk: Desk,
    model: str,
    brand: str,
    family: str,
    security_level: int = 0,
    capabilities: str = "",
    certificate: str = "",
    certificate_until: str = "none",
) -> Result:
    """Enter a model in the catalogue; one that is there stays as it is. Capabilities are names between blanks."""
    desk.line(model=model, brand=brand, family=family, certificate=certificate)
    row = _described(DeviceModel(model, brand, family), security_level, capabilities, certificate, certificate_until)
    if desk.books.model(model) is None:
        desk.insert("models", **columns(row))
    return {"model": model}


def certify_model(desk: Desk, model: str, certificate: str, until: str) -> Result:
    """Note a model's certificate and the last day on which it is valid, such as 2028-06-30."""
    desk.line(certificate=certificate)
    desk.model(model)
    last = after_day(until)
    changes = {"certificate": certificate, "certificate_until": last}
    desk.books.write(Update("models", {"model": model}, changes))
    desk.note("", "certify model", f"{model}: {certificate} until {until}")
    return {"model": model, **changes}


def block_models(desk: Desk, content: bytes) -> Result:
    """Take a blocklist over, CSV from a file: each model sells until its date. Tells how many terminals that stops."""
    rows = listed(content)
    for row in rows:
        changes = {"retired_at": moment_at(row["stop_date"]), "retire_reason": row["reason"]}
        if desk.books.model(row["model"]) is None:
            desk.insert("models", **columns(DeviceModel(row["model"], row["brand"], row["family"])))
        desk.books.write(Update("models", {"model": row["model"]}, changes))
    desk.note("", "block models", f"{len(rows)} models")
    names = {row["model"] for row in rows}
    hit = [row for row in desk.books.rows("terminals") if row["model"] in names and row["state"] in IN_SERVICE]
    return {"models": len(rows), "terminals": len(hit)}


def blocklist(desk: Desk) -> Result:
    """The models with a date of their end, as the CSV that ``block_models`` reads."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(BLOCKLIST)
    rows = [row for row in desk.books.rows("models") if row["retired_at"] is not None]
    for row in rows:
        day = f"{datetime.fromtimestamp(row['retired_at'], CHINA_TIME):%Y-%m-%d}"
        writer.writerow([*(_inert(str(row[name])) for name in BLOCKLIST[:3]), day, _inert(row["retire_reason"])])
    return {"models": len(rows), "csv": out.getvalue()}


def affected(desk: Desk, model: str = "") -> Result:
    """Who is affected by the blocklist: the terminals in service of blocked models, each with its date, and sums."""
    if model:
        desk.model(model)
    ends = {row["model"]: row for row in desk.books.rows("models") if row["retired_at"] is not None}
    found = [
        {
            **{name: row[name] for name in ("serial_number", "model", "terminal_id", "merchant_id", "state")},
            "stop_at": ends[row["model"]]["retired_at"],
            "reason": ends[row["model"]]["retire_reason"],
        }
        for row in desk.books.rows("terminals", **({"model": model} if model else {}))
        if row["model"] in ends and row["state"] in IN_SERVICE
    ]
    sums = Counter(str(row["model"]) for row in found)
    merchants = len({row["merchant_id"] for row in found})
    return {"affected": found, "by_model": dict(sorted(sums.items())), "merchants": merchants, "total": len(found)}


def recommend_firmware(desk: Desk, model: str, version: str, required_days: int = 30, forced_days: int = 60) -> Result:
    """Offer a published version to the devices of a model at once, require it after some days, and force it later."""
    row = desk.model(model)
    desk.version(version)
    if not 0 <= required_days <= forced_days <= 3_650:
        raise AdminError("it is offered, then required, then forced", hint="--required-days is the less", code="days")
    if not desk.books.rows("firmware", model=model, version=version):
        raise AdminError(f"{model} {version} is not published", hint="publish it first", code="not_published")
    if version in row.blocked_firmware.split():
        raise AdminError(f"{model} {version} is blocked", code="blocked")
    dates = {"required_at": desk.at + required_days * DAY_S, "forced_at": desk.at + forced_days * DAY_S}
    desk.books.write(Update("models", {"model": model}, {"recommended_firmware": version, **dates}))
    desk.note("", "recommend firmware", f"{model} {version}, required in {required_days}, forced in {forced_days} days")
    return {"model": model, "version": version, **dates}


def block_firmware(desk: Desk, model: str, version: str) -> Result:
    """Block a version of a model: nobody sells with it, it is offered to nobody, and is recommended no more."""
    row = desk.model(model)
    desk.version(version)
    changes: dict[str, object] = {"blocked_firmware": " ".join(sorted({*row.blocked_firmware.split(), version}))}
    if row.recommended_firmware == version:
        changes |= {"recommended_firmware": "", "required_at": None, "forced_at": None}
    if row.min_firmware == version:
        raise AdminError(f"{version} is what {model} must have at least", hint="require another one", code="required")
    desk.books.write(Update("models", {"model": model}, changes))
    desk.note("", "block firmware", f"{model} {version}")
    return {"model": model, "blocked": changes["blocked_firmware"]}


def rollout(desk: Desk, model: str) -> Result:
    """How far the devices of a model have come with the recommended version."""
    row = desk.model(model)
    progress = {each["serial_number"]: each for each in desk.books.rows("updates")}
    told = []
    for terminal in desk.books.rows("terminals", model=model):
        serial_number = terminal["serial_number"]
        known = progress.get(serial_number)
        on_way = known if known and known["version"] == row.recommended_firmware else None
        done = bool(row.recommended_firmware) and terminal["firmware"] == row.recommended_firmware
        told.append(
            {
                "serial_number": serial_number,
                "firmware": terminal["firmware"],
                "state": "installed" if done else on_way["state"] if on_way else "waiting",
                "failures": on_way["failures"] if on_way else 0,
            }
        )
    states = dict(Counter(str(each["state"]) for each in told))
    return {"model": model, "version": row.recommended_firmware, "stage": stage_of(row, desk.at), "states": states,
            "terminals": told}  # fmt: skip


def _described(
    row: DeviceModel, security_level: int, capabilities: str, certificate: str, certificate_until: str
) -> DeviceModel:
    if not 0 <= security_level <= LEVEL_MAX:
        raise AdminError(f"a security level is 0 to {LEVEL_MAX}", code="security_level")
    if strange := [word for word in capabilities.split() if word not in CAPABILITIES]:
        hint = f"known: {', '.join(CAPABILITIES)}"
        raise AdminError(f"no model can {strange[0]!r}", hint=hint, code="unknown_capability")
    until = None if certificate_until == "none" else after_day(certificate_until)
    return DeviceModel(
        row.model,
        row.brand,
        row.family,
        security_level=security_level,
        capabilities=" ".join(capabilities.split()),
        certificate=certificate,
        certificate_until=until,
    )


def after_day(day: str) -> int:
    """The instant after a last day. Raises AdminError for what is no day."""
    try:
        return moment_at(date.fromisoformat(day).isoformat()) + DAY_S
    except ValueError:
        raise AdminError(f"{shown(day)} is no day such as 2028-06-30", code="day") from None


def listed(content: bytes) -> list[dict[str, str]]:
    """The lines of a blocklist by column. Raises AdminError that names every wrong line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        hint = "save the file as UTF-8"
        raise AdminError(f"line {line}: byte {error.start} is not UTF-8", hint=hint, code="blocklist") from None
    lines = _lines(text)
    if next(lines, None) != (1, list(BLOCKLIST)):
        raise AdminError("line 1: the columns are wrong", hint=f"they are {','.join(BLOCKLIST)}", code="blocklist")
    rows: list[dict[str, str]] = []
    mistakes: list[str] = []
    seen: dict[str, int] = {}
    for line, cells in lines:
        row = dict(zip(BLOCKLIST, cells, strict=False))
        wrong = _mistake_of(row) if len(cells) == len(BLOCKLIST) else f"it has not {len(BLOCKLIST)} cells"
        if not wrong and row["model"] in seen:
            wrong = f"{shown(row['model'])} is in line {seen[row['model']]} already"
        if wrong:
            mistakes.append(f"line {line}: {wrong}")
        else:
            seen[row["model"]] = line
        rows.append(row)
        if len(rows) > ROWS_MAX:
            raise AdminError(f"more than {ROWS_MAX} lines", code="blocklist")
    if not rows:
        raise AdminError("the list names no model", code="blocklist")
    if mistakes:
        more = f", and {len(mistakes) - MISTAKES_SHOWN} more" if len(mistakes) > MISTAKES_SHOWN else ""
        raise AdminError("; ".join(mistakes[:MISTAKES_SHOWN]) + more, hint="nothing was taken over", code="blocklist")
    return rows


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not blank, and the number of the line at which they begin: a quote that nobody
    closes is a mistake where it was opened. Raises AdminError for what is no CSV.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise AdminError(f"line {begins}: {error}", code="blocklist") from None
        if cells:
            yield begins, cells


def _mistake_of(row: dict[str, str]) -> str:
    """What is wrong with a line that has all its cells, empty where nothing is."""
    for name in BLOCKLIST:
        if not row[name].isprintable() or len(row[name]) > _CELL_MAX or (name != "reason" and not row[name]):
            return f"{name} is {shown(row[name])}"
    try:
        date.fromisoformat(row["stop_date"])
        moment_at(row["stop_date"])
    except ValueError:
        return f"{shown(row['stop_date'])} is no day such as 2027-06-30"
    return ""


def _inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (invariant P3)."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t") else cell
