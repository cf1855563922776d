"""Permissions to see, hear and decide; every import of Airflow's private modules is here.

    see      read on the DAG archive_recordings, and GET on the custom view Recordings
    decide   edit on the DAG enforce_retention, and PUT on the custom view Recordings

Both halves are needed: Airflow's simple auth manager ignores views, and under FAB every engineer may read every DAG.
`guard` and `narrow` are dependencies of the whole app, so that no new route can be forgotten. Whatever fails while
permissions are checked refuses: with an Airflow whose modules have moved, everything is answered with 503.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request

from recording_archive.errors import ConfigurationError
from recording_archive.web.deps import ArchiveDep, note_refusal
from recording_archive.web.problem import Problem
from recording_archive.web.viewer import Viewer, asks_for_viewer, viewer

log = logging.getLogger(__name__)

READ_DAG = "archive_recordings"
DECIDE_DAG = "enforce_retention"
VERIFY_DAG = "verify_archive"
VIEW = "Recordings"
CSRF_HEADER = "X-Recording-Archive"
_SAFE = frozenset({"GET", "HEAD"})
_SOME_ALONE = (
    "The access document of the archive lets you use some of them, and this is about all. "
    "Search shows those that you may see."
)


def _unknown_version() -> Problem:
    detail = "Install a release of this software that knows it; until then everything is refused."
    return Problem(503, "Cannot check permissions with this Airflow version", detail)


def _refuse_all() -> Any:
    raise _unknown_version()


_signed_in: Callable[..., Any] = _refuse_all  # a FastAPI dependency: the user, or 401
try:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
    from airflow.configuration import conf

    _signed_in = get_user
except Exception:  # whatever it is, permissions cannot be checked
    log.exception("The access control of this Airflow is not where it is looked for: everything is refused")


def guard(request: Request, user: Annotated[Any, Depends(_signed_in)]) -> None:
    """Let pass who may see recordings; and no write that another site could have caused."""
    request.state.archive_user = user
    if not may_see(request):
        note_refusal(request, user_name(request), "no permission to see recordings")
        raise Problem(403, "You may not use the recording archive", _ask_for("GET", "read", READ_DAG))
    if request.method not in _SAFE:
        _refuse_forgery(request)


def narrow(request: Request, archive: ArchiveDep) -> None:
    """Keep who may see some recordings alone from every route that is not made for them: it tells of all."""
    route = request.scope["route"]
    if not asks_for_viewer(route.dependant) and not viewer(request, archive).sees.everything:
        raise Problem(403, "This is for those who may see all recordings", _SOME_ALONE)


def decide(request: Request, archive: ArchiveDep) -> None:
    """Dependency of the routes that change something."""
    if not _permits(request, "PUT", DECIDE_DAG):
        note_refusal(request, user_name(request), "no permission to decide about recordings")
        raise Problem(403, "You may not decide about recordings", _ask_for("PUT", "edit", DECIDE_DAG))
    allowed = viewer(request, archive).decides
    if not allowed.everything and not asks_for_viewer(request.scope["route"].dependant):
        raise Problem(403, "This is for those who may decide about all recordings", _SOME_ALONE)


def may_see(request: Request) -> bool:
    """Tell if the signed-in user may search, listen and fetch."""
    return _permits(request, "GET", READ_DAG)


def fetch_all(request: Request, archive: ArchiveDep) -> Viewer:
    """Dependency of the routes that hand out recordings of any kind at once."""
    seen = viewer(request, archive)
    if not (seen.sees.everything and seen.fetches.everything):
        raise Problem(403, "This is for those who may see and download all recordings", _SOME_ALONE)
    return seen


def may_decide(request: Request, archive: ArchiveDep) -> bool:
    """Tell if the signed-in user may hold, release, restore and acknowledge whatever recording it is."""
    return viewer(request, archive).decides.everything and _permits(request, "PUT", DECIDE_DAG)


MayDecide = Annotated[bool, Depends(may_decide)]


def user_name(request: Request) -> str:
    """The name of the signed-in user, as events keep it."""
    return str(request.state.archive_user.get_name())


def grant(role: str, wanted: Iterable[tuple[str, str]]) -> None:
    """Give a role of the FAB auth manager these actions on these resources; raise ConfigurationError without FAB."""
    name = str(conf.get("core", "auth_manager", fallback=""))
    if not name.endswith(".FabAuthManager"):
        raise ConfigurationError(f"This Airflow uses {name}, not FAB: grant the view {VIEW} there, as its manual says")
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder  # noqa: PLC0415 - slow
    from airflow.providers_manager import ProvidersManager  # noqa: PLC0415 - slow

    # Before 3.2 nobody else reads the defaults of FAB's settings.
    ProvidersManager().initialize_providers_configuration()  # type: ignore[no-untyped-call]
    with get_application_builder() as builder:
        security = builder.sm
        found = security.find_role(role) or security.add_role(role)
        for action, resource in wanted:
            security.add_permission_to_role(found, security.create_permission(action, resource))


def _permits(request: Request, method: Any, dag_id: str) -> bool:
    """Tell if both halves allow ``method``; an answer that is not a plain yes is a no."""
    user = request.state.archive_user
    try:
        requires_access_dag(method, param_dag_id=dag_id)(request, user)
        view = get_auth_manager().is_authorized_custom_view(method=method, resource_name=VIEW, user=user)
    except HTTPException as refusal:
        if refusal.status_code == 403:
            return False
        raise
    except Exception as error:
        log.exception("Permissions cannot be checked")
        raise _unknown_version() from error
    return view is True


def _ask_for(method: str, action: str, dag_id: str) -> str:
    wanted = f"{method} on the view {VIEW} and permission to {action} the DAG {dag_id}"
    return f"Ask your Airflow administrator for {wanted}."


def _refuse_forgery(request: Request) -> None:
    """Raise Problem unless a program, or a page of this very site, sent this write.

    A form of another site can send neither JSON nor a header of its own. Where the cookie says who it is, the
    browser's own word on where the request comes from must agree.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Problem(415, "Only JSON is accepted", "Send Content-Type: application/json.")
    if request.headers.get(CSRF_HEADER) != "1":
        raise _forged(f"Send the header {CSRF_HEADER}: 1.")
    if not _has_token(request) and not _is_same_origin(request):
        raise _forged("Send it from a page of this Airflow, or with an Authorization header.")


def _forged(detail: str) -> Problem:
    return Problem(403, "This request may come from another site", detail)


def _has_token(request: Request) -> bool:
    """Tell if the Authorization header names the user, which no other site can make a browser send."""
    return request.headers.get("authorization", "").partition(" ")[0].lower() == "bearer"


def _is_same_origin(request: Request) -> bool:
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = request.headers.get("origin")  # browsers leave Sec-Fetch-Site out where the page came by plain http
    if not origin:
        return False
    base_url = str(conf.get("api", "base_url", fallback=""))  # a proxy may have changed the Host header
    return urlsplit(origin).netloc in {request.headers.get("host"), urlsplit(base_url).netloc or None}
