"""The application: routes of the acts, health, metrics, and the description of it all."""

from __future__ import annotations

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from host.admin.office import Office
from host.web.gatekeeper import Gatekeeper
from host.web.metrics import exposition
from host.web.problems import tell_problems
from host.web.routes import routes


def make_api(office: Office, hosts: frozenset[str] = frozenset()) -> Gatekeeper:
    """The ASGI application of an office. ``hosts`` are the names by which it may be called besides loopback's."""
    return Gatekeeper(describe(office), hosts)


def describe(office: Office) -> FastAPI:
    """The same without its gatekeeper: what the OpenAPI description is made from."""
    app = FastAPI(
        title="pos-lab host",
        version="1",
        description="The administrative acts of the acquirer. Acts that need two people are proposed and confirmed.",
        docs_url=None,
        redoc_url=None,
    )
    tell_problems(app)
    app.include_router(routes(office))

    @app.get("/health/live", summary="The process runs.", tags=["health"])
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get(
        "/health/ready", summary="The store commits.", tags=["health"], responses={503: {"description": "It does not."}}
    )
    async def ready() -> JSONResponse:
        found = await office.readiness()
        return JSONResponse(found, 200 if found["ready"] else 503)

    @app.get("/metrics", summary="Counters for Prometheus.", tags=["health"], response_class=Response)
    async def metrics() -> Response:
        return Response(exposition(office), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app
