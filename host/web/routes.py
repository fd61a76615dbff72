"""One route for each row of RIGHTS and LISTS: arguments, texts and examples come from the acts and ARGUMENTS."""

from __future__ import annotations

import inspect
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Path, Query
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, StringConstraints, create_model

from host.admin.acts import ACTS
from host.admin.desk import NUMBER_MAX
from host.admin.lists import LIMIT_MAX, LISTS, OFFSET_MAX, List, as_csv
from host.admin.office import Office
from host.admin.rights import LIST_ROLES, RIGHTS, Right
from host.admin.tokens import Role
from host.admin.wording import PROBLEMS, argument
from host.web.problems import MEDIA_TYPE

TEXT_MAX: Final = 2_000
Text = Annotated[str, StringConstraints(max_length=TEXT_MAX, pattern=r"^[^\x00-\x1f\x7f]*$")]
Integer = Annotated[int, Field(ge=-NUMBER_MAX, le=NUMBER_MAX, strict=True)]
QueryInteger = Annotated[int, Field(ge=-NUMBER_MAX, le=NUMBER_MAX)]
_KINDS: Final[Mapping[type, Any]] = {str: Text, int: Integer, bool: bool, bytes: Base64Bytes}
_QUERY_KINDS: Final[Mapping[type, Any]] = {**_KINDS, int: QueryInteger}
_IN_PATH: Final = re.compile(r"\{([a-z_]+)\}")
_BEARER: Final = HTTPBearer(auto_error=False, description="A token that `poslab admin token create` made.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


class Problem(BaseModel):
    """What went wrong."""

    type: str
    title: str
    title_zh: str
    status: int
    code: str
    detail: str
    field: str
    hint: str


_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    row.status: {
        "description": f"{row.english} ({row.chinese})",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    }
    for row in PROBLEMS.values()
    if row.status != 500
}


def routes(office: Office) -> APIRouter:
    """Every act and list that is reached from afar."""
    router = APIRouter(prefix="/v1", responses=_RESPONSES)
    for right in RIGHTS.values():
        if right.path:
            about = ACTS[right.act].__doc__ or ""
            _add(router, office, right.path, right.method, _act(office, right), about, right.roles)
    for row in LISTS.values():
        _add(router, office, f"/{row.name}", "GET", _list(office, row), row.about, LIST_ROLES[row.name])
    return router


def _add(
    router: APIRouter, office: Office, path: str, method: str, endpoint: Any, about: str, roles: frozenset[Role]
) -> None:
    async def admitted(bearer: Bearer) -> None:
        await office.admit(_secret(bearer), roles, endpoint.__name__)

    first, _, rest = inspect.cleandoc(about).partition("\n")
    told = f"{rest.strip()}\n\nFor: {', '.join(role for role in Role if role in roles)}.".strip()
    router.add_api_route(
        path, endpoint, methods=[method], name=endpoint.__name__, operation_id=endpoint.__name__, summary=first,
        description=told, response_model=None, tags=[path.split("/")[1]], dependencies=[Depends(admitted)],
    )  # fmt: skip


def _act(office: Office, right: Right) -> Callable[..., Any]:
    own = list(inspect.signature(ACTS[right.act], eval_str=True).parameters.values())[1:]
    in_path = set(_IN_PATH.findall(right.path))
    in_query = {known.name for known in own} - in_path if not right.changes or right.method == "DELETE" else set[str]()
    in_body = [known for known in own if known.name not in in_path | in_query]

    async def endpoint(*, bearer: Any, body: Any = None, **arguments: Any) -> JSONResponse:
        if body is not None:
            arguments |= {name: getattr(body, name) for name in type(body).model_fields}
        return JSONResponse(_plain(await office.act(_secret(bearer), right.act, arguments)))

    parameters = [_parameter("bearer", Bearer)]
    for known in own:
        about, example = argument(known.name).about, argument(known.name).example
        if known.name in in_path:
            kind = _QUERY_KINDS[known.annotation]
            parameters.append(_parameter(known.name, Annotated[kind, Path(description=about, examples=[example])]))
        elif known.name in in_query:
            kind = Annotated[_QUERY_KINDS[known.annotation], Query(description=about, examples=[example])]
            parameters.append(_parameter(known.name, kind, known.default))
    if in_body:
        parameters.append(_parameter("body", Annotated[_model(right.act, in_body), Body()]))
    return _named(endpoint, right.act, parameters)


def _model(act: str, own: list[inspect.Parameter]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for known in own:
        row = argument(known.name)
        default = ... if known.default is known.empty else known.default
        examples = [] if known.annotation is bytes else [row.example]
        fields[known.name] = (
            _KINDS[known.annotation],
            Field(default, description=row.about, examples=examples or None),
        )
    name = "".join(part.title() for part in act.split("_"))
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _list(office: Office, row: List) -> Callable[..., Any]:
    async def endpoint(*, bearer: Any, form: str, **arguments: Any) -> Response:
        found = await office.page(_secret(bearer), row.name, **arguments)
        if form == "csv":
            items: Any = found["items"]
            headers = {"content-disposition": f'attachment; filename="{row.name}.csv"'}
            return Response(as_csv(items), media_type="text/csv; charset=utf-8", headers=headers)
        return JSONResponse(_plain(found))

    about = f"found in {', '.join(row.searched)}"
    sorts = Annotated[str, Query(pattern=f"^({'|'.join(row.sorts)})?$", description=f"one of {', '.join(row.sorts)}")]
    parameters = [
        _parameter("bearer", Bearer),
        _parameter("search", Annotated[Text, Query(description=about)], ""),
        _parameter("sort", sorts, ""),
        _parameter("descending", Annotated[bool, Query(description="the last first")], False),
        _parameter("limit", Annotated[int, Query(ge=1, le=LIMIT_MAX, description="rows of a page")], 50),
        _parameter("offset", Annotated[int, Query(ge=0, le=OFFSET_MAX, description="rows to leave out first")], 0),
        _parameter("form", Annotated[str, Query(pattern="^(json|csv)$", description="json or csv")], "json"),
    ]
    return _named(endpoint, f"list_{row.name}", parameters)


def _named(endpoint: Any, name: str, parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    endpoint.__name__ = name
    endpoint.__doc__ = None
    endpoint.__signature__ = inspect.Signature(parameters)
    return endpoint  # type: ignore[no-any-return]


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _secret(bearer: HTTPAuthorizationCredentials | None) -> str:
    return bearer.credentials if bearer else ""


def _plain(value: Any) -> Any:
    """What an act returned as JSON; bytes as base64."""
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
