"""How the API says no: ``application/problem+json`` with code, field, hint and both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from host.admin.wording import problem
from host.errors import AdminError
from protocol.errors import ToldError

MEDIA_TYPE: Final = "application/problem+json"
_WRONG_VALUES: Final = frozenset({"decode", "encode", "version", "key", "key_length", "protocol"})
_BY_STATUS: Final = {404: "path", 405: "method", 413: "too_large"}


def document(code: str, message: str, *, hint: str = "", field: str = "") -> dict[str, Any]:
    """The problem of an error's code, with its status."""
    row = problem(code)
    return {
        "type": "about:blank",
        "title": row.english,
        "title_zh": row.chinese,
        "status": row.status,
        "code": code,
        "detail": message,
        "field": field,
        "hint": hint,
    }


def response(
    code: str, message: str, *, hint: str = "", field: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The same as a response."""
    body = document(code, message, hint=hint, field=field)
    return JSONResponse(body, body["status"], headers=dict(headers or {}), media_type=MEDIA_TYPE)


def tell_problems(app: FastAPI) -> None:
    """Every error of the application as a problem; a defect of ours too, without its traceback."""
    app.add_exception_handler(ToldError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)


def _told(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ToldError)
    code = "invalid" if error.code in _WRONG_VALUES else error.code
    headers = {"WWW-Authenticate": "Bearer"} if code == "unauthenticated" else None
    field = error.field if isinstance(error, AdminError) else ""
    return response(code, error.message, hint=error.hint, field=field, headers=headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return response("invalid", str(first["msg"]), field=field, hint="GET /openapi.json describes every argument")


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _BY_STATUS.get(error.status_code, "invalid")
    return response(code, str(error.detail), headers=error.headers)


def _defect(request: Request, error: Exception) -> JSONResponse:
    return response("internal", "an unforeseen error", hint="the host's log has it")
