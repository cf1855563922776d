"""Errors as ``application/problem+json`` (RFC 9457), or as a page for a browser that asks for HTML."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from recording_archive.errors import ArchiveError, FixityError, RunError, TransientError
from recording_archive.web import render
from recording_archive.web.headers import SECURITY_HEADERS
from recording_archive.web.problem import CONTENT_TYPE, Problem

log = logging.getLogger(__name__)

_RETRY_AFTER_S = 5
_TITLES = {404: "There is nothing here", 405: "This method is not allowed here"}


def install(app: FastAPI) -> None:
    """Let every error of ``app`` become a problem."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(ArchiveError, _on_archive)
    app.add_exception_handler(Exception, _on_other)


def answer(request: Request, problem: Problem) -> Response:
    """The response for a problem, in the form the client asks for."""
    if "text/html" in request.headers.get("accept", ""):
        page = render.error_page(request, status=problem.status, title=problem.title, detail=problem.detail)
        page.headers.update(problem.headers)
        return page
    return JSONResponse(problem.to_json(), problem.status, problem.headers, media_type=CONTENT_TYPE)


def from_archive_error(error: ArchiveError) -> Problem:
    """The status of each failure of the archive; the remedy is in the error's own message."""
    if isinstance(error, TransientError):
        wait = str(max(1, round(error.retry_after_s or _RETRY_AFTER_S)))
        return Problem(503, "The archive does not answer", str(error), headers={"Retry-After": wait})
    if isinstance(error, RunError):
        return Problem(503, "The archive cannot be used", str(error))
    if isinstance(error, FixityError):
        return Problem(500, "The bytes are not what they should be", str(error))
    return Problem(500, "The recording cannot be read", str(error))


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for this class
    return answer(request, error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    return answer(request, _from_http(error))


def _from_http(error: HTTPException) -> Problem:
    """Starlette's 404 and 405, and Airflow's 401; its 403 here means a token that it cannot read."""
    if error.status_code in {401, 403}:
        return Problem(401, "You are signed out", "Sign in to Airflow.", headers={"WWW-Authenticate": "Bearer"})
    title = _TITLES.get(error.status_code, str(error.detail))
    return Problem(error.status_code, title, headers=error.headers)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    found = [{"name": ".".join(map(str, each["loc"][1:])), "reason": each["msg"]} for each in error.errors()]
    detail = "; ".join(f"{each['name']}: {each['reason']}" for each in found)
    return answer(request, Problem(400, "The request is malformed", detail, invalid=found))


async def _on_archive(request: Request, error: Exception) -> Response:
    assert isinstance(error, ArchiveError)  # noqa: S101 - registered for this class
    problem = from_archive_error(error)
    log.error("%s: %s", problem.title, error)
    return answer(request, problem)


async def _on_other(request: Request, _error: Exception) -> Response:
    """A mistake of ours; Starlette logs it, and sends this past the middleware that adds the headers."""
    detail = "The log of the API server says what."
    return answer(request, Problem(500, "Something went wrong here", detail, headers=SECURITY_HEADERS))
