"""Pages from templates: Jinja2 with autoescape, our own files alone, every link relative.

The app may be mounted anywhere and is shown in an iframe, so a page never knows its own address: ``root`` is the way
back from the page to the app, and all links begin with it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recording_archive.archive import Archive
from recording_archive.model import State, is_safe_id
from recording_archive.retention.forecast_figures import total
from recording_archive.web.read.failures import Failing, count_failures
from recording_archive.web.viewer import viewer
from recording_archive.web.wording import days, formats, terms

HERE = Path(__file__).parent
STATIC = HERE / "static"


def page(request: Request, archive: Archive, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a template as an HTML answer, with what every page shows; each value in it is text, whatever it holds."""
    seen = viewer(request, archive).sees
    undecided = count_failures(archive, Failing.DECISION, seen)
    some = not seen.everything  # then pages that tell of all are not offered
    return _answer(request, template, status, now=archive.clock(), undecided=undecided, some=some, **context)


def error_page(request: Request, *, status: int, title: str, detail: str = "") -> HTMLResponse:
    """The page that a person sees in place of another: signed out, no permission, not found, not now."""
    login = f"{root(request)}../api/v2/auth/login?next={quote(_whole(request))}"  # whichever auth manager there is
    return _answer(request, "error.html", status, code=status, title=title, detail=detail, login=login)


def _whole(request: Request) -> str:
    """The path and query of a request: who signs in comes back to the very search."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def root(request: Request) -> str:
    """The relative way from the page to the app: ``./`` at its top, ``../`` for each folder below.

    Folders are counted as the browser does, in the raw path: an encoded slash is none.
    """
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    depth = raw.count(b"/") - request.scope.get("root_path", "").count("/") - 1
    return "../" * depth or "./"


@lru_cache
def asset(name: str) -> str:
    """A static file's name below the app, with its hash, so that a new version is never shadowed by a cached one."""
    digest = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"static/{name}?v={digest}"


def _answer(request: Request, template: str, status: int, **context: Any) -> HTMLResponse:
    html = _environment().get_template(template).render(root=root(request), asset=asset, here=_here(request), **context)
    return HTMLResponse(html, status_code=status)


def _here(request: Request) -> str:
    """The path below the app, without its leading slash."""
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", "")).removeprefix("/")


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {each.__name__: each for each in (*formats.FILTERS, *terms.FILTERS, *days.FILTERS)}
    environment.filters["total"] = total
    environment.filters["segment"] = lambda text: quote(text, safe="")
    environment.tests["safe_id"] = is_safe_id
    environment.tests["hearable"] = _is_hearable
    return environment


def _is_hearable(row: Any) -> bool:
    """Tell if a page may offer a recording's sound: it is here, is to stay, and is not known to be damaged."""
    return bool(row.state == State.ARCHIVED and row.verified_ok is not False)
