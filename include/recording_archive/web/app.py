"""The FastAPI app: guard, routes, problems and security headers."""

from __future__ import annotations

from fastapi import Depends, FastAPI, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

from recording_archive.web import access, error_responses, render
from recording_archive.web.api import routes
from recording_archive.web.headers import SecurityHeaders
from recording_archive.web.media import retrieve
from recording_archive.web.pages import (
    coverage_page,
    evidence_page,
    failures_page,
    fixity_pages,
    hold_pages,
    listening_page,
    openings_page,
    overview_page,
    plan_pages,
    recording_page,
    retention_pages,
    run_pages,
    search_page,
)
from recording_archive.web.unlogged import SearchesUnlogged


def create_app() -> FastAPI:
    """The app that the plugin mounts; every route of it is behind `access.guard`.

    Static files, which hold nothing private, are not: the page that says "signed out" needs its style as well.
    """
    app = FastAPI(
        title="Recording archive",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would tell strangers which paths there are
        dependencies=[Depends(access.guard), Depends(access.narrow)],
    )
    error_responses.install(app)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(SearchesUnlogged)
    pages = (
        search_page,
        recording_page,
        run_pages,
        failures_page,
        overview_page,
        coverage_page,
        evidence_page,
        hold_pages,
        retention_pages,
        plan_pages,
        fixity_pages,
        openings_page,
        listening_page,
    )
    for part in (retrieve, routes, *pages):
        app.include_router(part.router)
    app.mount("/static", _Static(directory=render.STATIC), name="static")
    return app


class _Static(StaticFiles):
    """Files that may be cached for good where their address holds their hash."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        named = b"v=" in scope["query_string"]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if named else "no-cache"
        return response
