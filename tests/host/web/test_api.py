"""The API itself: errors as problems, pages, foreign sites, hostile names, health and metrics."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from host.admin.lists import LISTS
from host.admin.office import Office
from host.web.gatekeeper import BODY_MAX
from host.web.serving import serving_api
from tests.host.web.conftest import Window
from tests.host.wire import Lab, Wire

HOSTILE = [
    "<img onerror=alert(1)>", '=HYPERLINK("evil")', "+1", "-1", "@SUM(A1)", "\u202egnp.exe", "x" * 500,
    "'; DROP TABLE audit;--", "\u3000", "𠮷野家",
]  # fmt: skip


async def test_an_act_is_one_request(window: Window, wire: Wire) -> None:
    """A portal could not put a terminal on hold."""
    path = f"/v1/terminals/{wire.serial_number}/holds"
    answer = await window.ask("operator", "POST", path, json={"reason": "fault"})
    assert answer.json() == {"serial_number": wire.serial_number, "holds": ["fault"], "suspended": True} | answer.json()
    [held] = [row for row in window.lab.rows("holds") if row["released_at"] is None]
    assert held["actor"] == "li"
    assert (await window.ask("operator", "DELETE", f"{path}/fault")).json()["holds"] == []


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code", "field"),
    [
        ("GET", "/v1/terminals/PXE90-001", {}, 404, "unknown_terminal", "serial_number"),
        ("POST", "/v1/terminals/PXE90-0001/holds", {"json": {"reason": "?"}}, 404, "unknown_reason", "reason"),
        ("POST", "/v1/terminals/PXE90-0001/holds", {"json": {"reason": "fault", "days": -1}}, 409, "days", "days"),
        (
            "POST",
            "/v1/terminals/PXE90-0001/holds",
            {"json": {"reason": "fault", "kinds": "x"}},
            404,
            "unknown_kind",
            "kinds",
        ),
        ("PUT", "/v1/merchants/898100000000001/limits", {"json": {"single_fen": -1}}, 409, "limits", "single_fen"),
        ("POST", "/v1/terminals/PXE90-0001/holds", {"json": {}}, 422, "invalid", "reason"),
        ("POST", "/v1/terminals/PXE90-0001/holds", {"json": {"reason": "fault", "x": 1}}, 422, "invalid", "x"),
        ("POST", "/v1/terminals/PXE90-0001/holds", {"json": {"reason": "a\x00b"}}, 422, "invalid", "reason"),
        ("POST", "/v1/terminals/PXE90-0001/holds", {"content": b'{"reason": "\\ud800"}'}, 422, "invalid", ""),
        ("POST", "/v1/terminals/PXE90-0001/holds", {"content": b"{"}, 422, "invalid", ""),
        ("POST", "/v1/terminals/PXE90-0001/holds", {"content": b"\xff"}, 422, "invalid", ""),
        ("POST", "/v1/terminals/PXE90-0001/allow-download", {"json": {"hours": 10**30}}, 422, "invalid", "hours"),
        ("PUT", "/v1/models/PX-E90/firmware", {"json": {"version": "new"}}, 422, "invalid", "version"),
        ("GET", "/v1/terminals?sort=tmk", {}, 422, "invalid", "sort"),
        ("GET", "/v1/terminals?sort=state;--", {}, 422, "invalid", "sort"),
        ("GET", "/v1/terminals?limit=0", {}, 422, "invalid", "limit"),
        ("GET", "/v1/terminals?offset=-1", {}, 422, "invalid", "offset"),
        ("GET", "/v1/nowhere", {}, 404, "path", ""),
        ("PATCH", "/v1/terminals", {}, 405, "method", ""),
        ("GET", "/v1/terminals/PXE90-0001/ship", {}, 405, "method", ""),
    ],
)
async def test_an_error_is_a_problem(
    window: Window, wire: Wire, method: str, path: str, options: dict[str, Any], status: int, code: str, field: str
) -> None:
    """Whoever writes a client would have to guess what is wrong."""
    answer = await window.ask("supervisor", method, path, headers={"content-type": "application/json"}, **options)
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, told["status"]) == (status, status)
    assert told["code"] == code
    assert field in told["field"]
    assert told["title"]
    assert told["title_zh"]


async def test_the_store_that_fails_is_503_and_no_more(window: Window) -> None:
    """A database that is gone would look like a wrong argument."""
    window.lab.store.close()
    answer = await window.ask("viewer", "GET", "/v1/terminals")
    assert (answer.status_code, answer.json()["code"]) == (503, "store")
    ready = await window.ask("", "GET", "/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert (await window.ask("", "GET", "/health/live")).status_code == 200
    window.lab.reopen()


# pages


async def test_pages_join_to_the_whole(window: Window, wire: Wire) -> None:
    """A list of ten thousand would lack rows, or have some twice."""
    for number in range(25):
        window.lab.act("add_model", model=f"M{number:02}", brand="b", family="mpos")
    found, offset = [], 0
    while offset is not None:
        page = (await window.ask("viewer", "GET", f"/v1/models?limit=10&offset={offset}")).json()
        found += [row["model"] for row in page["items"]]
        offset = page["next_offset"]
    assert found == sorted(row["model"] for row in window.lab.rows("models"))
    found = (await window.ask("viewer", "GET", "/v1/models?search=M1&sort=model&descending=true")).json()["items"]
    assert [row["model"] for row in found][:2] == ["M19", "M18"]
    assert len(found) == 10


@pytest.mark.parametrize("name", LISTS)
async def test_every_list_lists_and_sorts_by_what_it_says(window: Window, active: Wire, name: str) -> None:
    """A column of the table would not be there, and no page of the list would come."""
    active.sell(100)
    for sort in ("", *LISTS[name].sorts):
        answer = await window.ask("auditor", "GET", f"/v1/{name}?sort={sort}&search=0")
        assert answer.status_code == 200
        assert not [key for row in answer.json()["items"] for key in row if key in ("tmk", "working_keys", "salt")]


@pytest.mark.parametrize("search", ["%", "_", "' OR 1=1 --", "\\", '"'])
async def test_a_search_is_text(window: Window, wire: Wire, search: str) -> None:
    """A search box would be a door to the database (faults X12)."""
    answer = await window.ask("viewer", "GET", "/v1/terminals", params={"search": search})
    assert answer.json()["items"] == []


# hostile names


def named(lab: Lab, name: str) -> None:
    """A merchant of this name."""
    from host.decision import Insert

    lab.store.run(lambda books: books.write(Insert("merchants", {"merchant_id": "898100000000077", "name": name})))


@pytest.mark.parametrize("name", [*HOSTILE, "\x1b]0;owned\x07", "two\nlines", "a\x00b"])
async def test_a_hostile_name_stays_text(window: Window, name: str) -> None:
    """A merchant's name would run in the browser, the spreadsheet or the terminal of whoever looks (invariant P3)."""
    named(window.lab, name)
    answer = await window.ask("viewer", "GET", "/v1/merchants")
    assert [row["name"] for row in answer.json()["items"] if row["merchant_id"].endswith("77")] == [name]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    table = await window.ask("viewer", "GET", "/v1/merchants?form=csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    [cell] = [row["name"] for row in rows if row["merchant_id"].endswith("77")]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell == "\u3000" or cell.isprintable()


# foreign pages


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8080"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"host": "evil.example:8080"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "[::1"}, 403),
        ({"host": ""}, 403),
        ({"host": "localhost:8080"}, 200),
        ({"host": "[::1]:8080"}, 200),
        ({"host": "10.0.0.5:8080"}, 200),
        ({"host": "10.0.0.5:8080", "origin": "http://10.0.0.6:8080"}, 403),
    ],
)
async def test_a_foreign_page_is_turned_away(window: Window, wire: Wire, headers: dict[str, str], status: int) -> None:
    """A page on the net could use the browser of whoever reads it (faults X08)."""
    path = f"/v1/terminals/{wire.serial_number}/holds"
    answer = await window.ask("operator", "POST", path, json={"reason": "fault"}, headers=headers)
    assert answer.status_code == status
    assert bool(window.lab.rows("holds")) == (status == 200)


async def test_no_get_changes_anything(window: Window, active: Wire) -> None:
    """A picture in a mail would stop a terminal."""
    schema = (await window.ask("", "GET", "/openapi.json")).json()
    before = window.lab.rows("audit")
    for path, methods in schema["paths"].items():
        if "get" in methods:
            filled = path.replace("{serial_number}", active.serial_number)
            await window.ask("supervisor", "GET", filled)
    assert window.lab.rows("audit") == before


async def test_a_large_body_is_refused_unread(window: Window) -> None:
    """A flood would fill the host's memory."""
    for content in (b"x" * (BODY_MAX + 1), chunks()):
        answer = await window.ask("operator", "POST", "/v1/models", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("way", ["said", "in chunks", "at the limit"])
async def test_who_sends_too_much_reads_the_answer_over_a_socket(window: Window, office: Office, way: str) -> None:
    """The client would see a broken pipe instead of what is wrong."""
    size = BODY_MAX if way == "at the limit" else BODY_MAX + 1

    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * size

    headers = {"authorization": f"Bearer {window.secrets['operator']}"}
    async with serving_api(office, "127.0.0.1:0") as url, httpx.AsyncClient() as client:
        content: Any = parts() if way == "in chunks" else b"x" * size
        answer = await client.post(f"{url}/v1/models", content=content, headers=headers)
    assert answer.status_code == (422 if way == "at the limit" else 413)


async def chunks() -> Any:
    """A body that does not say how long it is."""
    for _ in range(3):
        yield b"x" * BODY_MAX


# health, metrics, description


async def test_health_says_that_the_store_commits(window: Window) -> None:
    """A load balancer would send terminals to a host that stores nothing."""
    assert (await window.ask("", "GET", "/health/ready")).json() == {"ready": True, "store": "commits"}


async def test_metrics_have_what_was_counted(window: Window, office: Office) -> None:
    """A graph would stand at nothing while sales fail."""
    office.tally.answered("sale", "00", "", 0.003)
    office.tally.answered("sale", "58", "terminal.stopped", 7.0)
    office.tally.answered("sale", "", "", 0.001)
    text = (await window.ask("", "GET", "/metrics")).text
    for line in (
        'poslab_answers_total{code="00",kind="sale"} 1.0',
        'poslab_refusals_total{reason="terminal.stopped"} 1.0',
        "poslab_repeats_total 1.0",
        'poslab_latency_seconds_bucket{le="0.005"} 2.0',
        'poslab_latency_seconds_bucket{le="+Inf"} 3.0',
        "poslab_latency_seconds_count 3.0",
    ):
        assert line in text
    assert "poslab_commits_total" in text


async def test_everything_is_described_with_an_example(window: Window) -> None:
    """Whoever writes a client would have to read our code."""
    schema = (await window.ask("", "GET", "/openapi.json")).json()
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            for parameter in operation.get("parameters", []):
                assert parameter.get("description"), (path, parameter["name"])
    for name, model in schema["components"]["schemas"].items():
        for field, about in model.get("properties", {}).items() if model.get("additionalProperties") is False else []:
            assert about.get("description"), (name, field)
