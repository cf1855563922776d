"""Who gets in, through Airflow's own web application: nobody unknown, nobody without both permissions, no forgery."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from fastapi import Request
from fastapi.testclient import TestClient
from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events
from recording_archive.web.headers import SECURITY_HEADERS
from support.contents import events_of
from support.site import FAB_ROLES, ROOT, SIMPLE_ROLES, Site
from support.web_pages import first_row

Sites = Callable[[str], Site]
MANAGERS = ("simple", "fab")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
STATES = ("archived", "held", "quarantined", "purged", "erased", "discovered")
PERMITTED = {"simple": set(SIMPLE_ROLES), "fab": {"admin", "listener", "keeper"}}
DECIDING = {"simple": {"user", "op", "admin"}, "fab": {"admin", "keeper"}}
ACKNOWLEDGE = "api/failures/acknowledge"
DECISION = {"interactionId": "nobody", "reason": "because"}
DECISIONS = {  # none of them changes anything where it is allowed
    ACKNOWLEDGE: DECISION,
    "api/holds": {"matter": "M", "reason": "because"},
    "api/holds/H-20260101-000000/release": {"reason": "because"},
    "api/recordings/nobody/nobody/restore": {"reason": "because"},
    "api/retention/runs/nobody/approve": {"plan": "0" * 64},
    "api/retention/runs/nobody/reject": {"reason": "because"},
}
QUESTIONS = {  # asked by POST for their size, or because an event comes of it; here they change nothing
    "api/evidence": {"runId": "nobody", "reason": "because"},
    "api/openings": {"interactionId": "nobody", "reason": "because"},
    "api/openings/end": {"interactionId": "nobody", "reason": "because"},
    "api/recordings/nobody/nobody/verify": {"part": -1},
    "api/retention/forecast": {"policy": "x"},
    "holds/preview": {"agents": "x"},
    "retention/compare": {"policy": "x"},
}
WRITE = {"X-Recording-Archive": "1", "Content-Type": "application/json"}


def paths(site: Site, interaction_id: str = "some-id", *, method: str | None = None) -> Iterator[str]:
    """The address of every route and mount, or of those that know ``method``; parameters filled in, below the app."""
    for route in site.routes if method is None else [each for each in site.routes if method in each["methods"]]:
        path = re.sub(r"\{[^}]+\}", interaction_id, route["path"]).removeprefix("/")
        query = f"?interactionId={interaction_id}" if path == "retrieve" else ""
        yield path + query


def interaction_of(site: Site, state: str) -> str:
    """An interaction in this state."""
    return first_row(site.archive).interaction_id if state == "archived" else f"{state}-1"


@pytest.mark.parametrize("manager", MANAGERS)
def test_every_route_is_closed_to_strangers(sites: Sites, manager: str) -> None:
    """Each route and mount, by each method, without and with worthless credentials."""
    site = sites(manager)
    assert len(site.routes) > 10, "the routes were not listed"
    signed_out = [
        {},
        {"Authorization": "Bearer junk"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Cookie": "_token=junk"},
        {"Cookie": "session=x; _token="},
        {"X-Forwarded-User": "admin", "Remote-User": "admin"},
    ]
    stranger = site.client_for(None)
    elsewhere = ("docs", "redoc", "openapi.json", "nothing/here", "static/../access.py", "static/none")
    cases = [(method, headers) for method in METHODS for headers in signed_out if not headers or method == "GET"]
    for path in [*paths(site), *elsewhere]:
        for method, headers in cases:
            reply = stranger.request(method, path, headers=headers)
            assert reply.status_code in {401, 403, 404, 405}, (method, path, headers, reply.status_code)
            secured = {name: reply.headers.get(name) for name in SECURITY_HEADERS}
            assert secured == SECURITY_HEADERS, (method, path)


def test_every_route_but_the_static_files_has_the_guard(site: Site) -> None:
    """Nothing else is mounted, and no plain route was added, which the guard would not cover."""
    assert [route["path"] for route in site.routes if not route["guarded"]] == ["/static/"]


def test_static_files_are_those_of_the_package(site: Site) -> None:
    """A stranger may have the style of the page that says so, and nothing outside its folder."""
    stranger = site.client_for(None)
    folder = ROOT / "include" / "recording_archive" / "web" / "static"
    for file in folder.rglob("*"):
        assert stranger.get(f"static/{file.relative_to(folder)}").content == file.read_bytes()
    for path in ("static/", "static/%2e%2e/access.py", "static/..%2faccess.py", "static//etc/passwd", "static/%00"):
        assert raw(site, path) in {400, 404, 405}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("manager", MANAGERS)
def test_seeing_and_hearing_need_both_permissions(sites: Sites, manager: str, state: str) -> None:
    """Under FAB the DAG alone is an engineer's role, not a listener's; FAB gives Admin each permission there is."""
    site = sites(manager)
    interaction_id = interaction_of(site, state)
    for role in SIMPLE_ROLES if manager == "simple" else FAB_ROLES:
        client = site.client_for(role)
        for path in paths(site, interaction_id, method="GET"):
            if interaction_id not in path and state != STATES[0]:
                continue  # what names no recording does not depend on its state
            reply = client.get(path)
            if role in PERMITTED[manager]:
                assert reply.status_code not in {401, 403, 500, 503}, (role, path, reply.text)
            else:
                assert reply.status_code == 403, (role, path)
                assert b"on the view Recordings" in reply.content


@pytest.mark.parametrize("manager", MANAGERS)
def test_deciding_needs_more_than_seeing(sites: Sites, manager: str) -> None:
    """Each decision needs edit on enforce_retention and PUT on the view; what it is about is then the error."""
    site = sites(manager)
    for role in SIMPLE_ROLES if manager == "simple" else FAB_ROLES:
        client = site.client_for(role)
        for path, body in DECISIONS.items():
            reply = client.post(path, json=body, headers=WRITE)
            if role in DECIDING[manager]:
                assert reply.status_code in {400, 404, 409}, (role, path, reply.text)
            else:
                assert reply.status_code == 403, (role, path, reply.text)
        for path, body in QUESTIONS.items():
            reply = client.post(path, json=body, headers=WRITE)
            permitted = role in PERMITTED[manager]
            assert reply.status_code in ({200, 400, 404} if permitted else {403}), (role, path, reply.text)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("manager", MANAGERS)
def test_no_state_of_a_recording_lets_others_decide(sites: Sites, manager: str, state: str) -> None:
    """Who may not decide restores and holds nothing, whatever state it is in; who may is told what cannot be."""
    site = sites(manager)
    interaction_id = interaction_of(site, state)
    before = len(events_of(site.archive, "restored", interaction_id))
    for role in SIMPLE_ROLES if manager == "simple" else FAB_ROLES:
        client = site.client_for(role)
        if role not in DECIDING[manager]:
            hold = {"matter": "M", "reason": "because", "interactionIds": [interaction_id]}
            assert client.post("api/holds", json=hold, headers=WRITE).status_code == 403, role
        elif state == "quarantined":
            continue  # it would be restored
        path = f"api/recordings/{interaction_id}/{interaction_id}/restore"
        reply = client.post(path, json={"reason": "because"}, headers=WRITE)
        assert reply.status_code == (409 if role in DECIDING[manager] else 403), (role, reply.text)
    assert len(events_of(site.archive, "restored", interaction_id)) == before


def test_no_route_that_takes_a_body_can_be_forged(site: Site) -> None:
    """Whatever is sent by POST with the cookie alone: another site, a form and a missing header are refused."""
    client = site.client_for("admin", cookie=True)
    posted = list(paths(site, method="POST"))
    assert len(posted) == len(DECISIONS) + len(QUESTIONS)
    for path in posted:
        for headers, status in (
            ({**WRITE, "Sec-Fetch-Site": "cross-site"}, 403),
            ({"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}, 403),
            ({**WRITE, "Content-Type": "text/plain", "Sec-Fetch-Site": "same-origin"}, 415),
        ):
            assert client.post(path, data="{}", headers=headers).status_code == status, (path, headers)


def test_a_refusal_of_a_known_user_is_an_event(sites: Sites) -> None:
    """The time line shows who tried to hear a recording; junk ids leave no mark on any."""
    site = sites("fab")
    row = first_row(site.archive)
    client = site.client_for("op")
    for _ in range(3):
        client.get(f"api/recordings/{row.interaction_id}/{row.recording_id}/media")
    refused = [event for event in events_of(site.archive, "refused", row.interaction_id) if event.actor == "op"]
    assert [event.detail for event in refused] == [{"why": "no permission to see recordings"}] * len(refused)
    assert refused[-1].recording_id in {row.recording_id, ""}
    client.get("retrieve?interactionId=made-up-by-op")
    assert not events_of(site.archive, "refused", "made-up-by-op")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": ""}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": ""}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"X-Recording-Archive": ""}, 403),
        ({"X-Recording-Archive": "true"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": ""}, 415),
    ],
)
def test_another_site_cannot_write_with_the_users_cookie(
    site: Site, headers: dict[str, str], status: int | None
) -> None:
    """A page of another origin, a form, and a write without our header are refused before the body is read."""
    client = site.client_for("admin", cookie=True)
    fields = {**WRITE, "Sec-Fetch-Site": "same-origin", **headers}
    sent = {name: value for name, value in fields.items() if value}
    reply = client.post(ACKNOWLEDGE, data=json.dumps(DECISION), headers=sent)
    assert reply.status_code == status if status else reply.status_code not in {401, 403, 405, 415}, reply.text


def test_the_own_origin_will_do_where_the_browser_says_no_more(site: Site) -> None:
    """On plain http browsers send no Sec-Fetch-Site; then Origin must be this host, or the configured base URL."""
    client = site.client_for("admin", cookie=True)
    own = client.post(ACKNOWLEDGE, json=DECISION, headers={**WRITE, "Origin": site.url})
    assert own.status_code not in {401, 403, 415}, own.text
    proxied = client.post(ACKNOWLEDGE, json=DECISION, headers={**WRITE, "Origin": site.url, "Host": "inner:8080"})
    assert proxied.status_code not in {401, 403, 415}, proxied.text


def test_a_program_with_a_token_needs_no_origin(site: Site) -> None:
    """A bearer token cannot be sent by another site's page; our header and JSON are asked for all the same."""
    client = site.client_for("admin")
    assert client.post(ACKNOWLEDGE, json=DECISION, headers=WRITE).status_code not in {401, 403, 415}
    assert client.post(ACKNOWLEDGE, json=DECISION).status_code == 403


def raw(site: Site, path: str, method: str = "GET", **headers: str) -> int:
    """The status of a request whose path is sent as it stands; no client library tidies it."""
    address = urlsplit(site.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.putrequest(method, f"/archive/{path}", skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    "segment",
    [
        *(
            "..",
            "%2e%2e",
            "..%2f..%2fetc%2fpasswd",
            "%2fetc%2fpasswd",
            "%00",
            "a%00b",
            "%5c..%5c",
            "%5c%5chost%5cshare",
        ),
        *("~root", ".hidden", "CON", "%EF%BC%8E%EF%BC%8E", "caf%C3%A9", "cafe%CC%81", "a" * 300),
        *("%0d%0aX-Evil:1", "'%20OR%201=1--", "%25", "{{7*7}}", "*", "a;b"),
    ],
)
def test_no_path_escapes_the_catalog(site: Site, segment: str) -> None:
    """Ids are looked up, never joined to a path: whatever they hold, the answer is 400 or 404."""
    token = f"Bearer {site.token('admin')}"
    for path in ("api/recordings/{}/x", "api/recordings/x/{}/media", "recordings/{}/x", "retrieve?interactionId={}"):
        assert raw(site, path.replace("{}", segment), Authorization=token) in {400, 404}, path


def test_no_header_is_injected(site: Site) -> None:
    """Carriage returns in an id end in 400, and never in the answer's headers."""
    reply = site.client_for("admin").get("retrieve?interactionId=x%0d%0aSet-Cookie:%20a=b")
    assert reply.status_code == 400
    assert "Set-Cookie" not in reply.headers


@pytest.mark.parametrize("role", [None, "viewer"])
def test_a_browser_sees_a_page_instead_of_json(sites: Sites, role: str | None) -> None:
    """Signed out and without permission alike, in the iframe of Airflow."""
    reply = sites("fab").client_for(role).get("", headers={"Accept": "text/html"})
    assert reply.status_code == (403 if role else 401)
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "<script>" not in reply.text


def test_a_token_that_airflow_cannot_read_means_signed_out(site: Site) -> None:
    """After a change of the secret the cookie is invalid, which Airflow answers with 403; the remedy is to sign in."""
    reply = site.client_for(None).get("", headers={"Cookie": "_token=eyJhbGciOiJub25lIn0.e30."})
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_searches_stay_out_of_airflows_log(site: Site) -> None:
    """The access log has path and ids, but no number or name that was searched for."""
    secret = "+4930555123987"
    site.client_for("viewer").get("api/recordings", params={"number": secret, "id": "canary-id-1", "q": secret})
    deadline = time.monotonic() + 10
    while "canary-id-1" not in (log := (site.home / "site.log").read_text()):  # written after the answer
        assert time.monotonic() < deadline, "the request was not logged"
        time.sleep(0.1)
    assert "4930555123987" not in log


def test_the_grant_command_lets_a_role_listen(sites: Sites) -> None:
    """The one command of docs/security.md, run against FAB's database: before it 403, after it 200."""
    site = sites("fab")
    row = first_row(site.archive)
    address = f"api/recordings/{row.interaction_id}/{row.recording_id}"
    client = site.client_for("granted")
    assert client.get(address).status_code == 403
    command = "python -m recording_archive.web.grant Listener"
    assert command in (ROOT / "docs" / "security.md").read_text()
    told = subprocess.run(
        [sys.executable, *command.replace("Listener", "Granted").split()[1:]],
        env=site.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    deadline = time.monotonic() + 10
    while client.get(address).status_code != 200:  # FAB remembers a user's permissions for a while
        assert time.monotonic() < deadline, "the grant had no effect"
        time.sleep(0.2)
    assert client.post(ACKNOWLEDGE, json=DECISION, headers=WRITE).status_code == 403


def test_the_grant_command_is_for_fab_alone(site: Site) -> None:
    """Under another auth manager it changes nothing and says where to grant."""
    command = [sys.executable, "-m", "recording_archive.web.grant", "Listener"]
    told = subprocess.run(command, env=site.environment, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "not FAB" in told.stderr


def test_a_listener_sees_the_entry_in_airflows_navigation(sites: Sites) -> None:
    """Airflow's page asks for the list of plugins, which FAB gives to no role below Op by itself."""
    site = sites("fab")
    headers = {"Authorization": f"Bearer {site.token('listener')}"}
    reply = requests.get(f"{site.url}/api/v2/plugins", headers=headers, timeout=30)
    assert reply.status_code == 200, reply.text
    (plugin,) = (each for each in reply.json()["plugins"] if each["name"] == "recordings")
    assert {view["destination"] for view in plugin["external_views"]} == {"nav", "dag_run"}


@pytest.mark.parametrize(
    "module", ["airflow.api_fastapi.core_api.security", "airflow.api_fastapi.app", "airflow.configuration"]
)
def test_an_unknown_airflow_refuses_everything(module: str, tmp_path: Any) -> None:
    """Where Airflow's modules have moved, every route says so with 503, and none opens."""
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "include")}
    program = ROOT / "tests" / "programs" / "app_without_a_module.py"
    command = [sys.executable, program, module]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    told = [line for line in ran.stdout.splitlines() if line[:3].isdigit() and line[3] == " "]  # not the log's lines
    assert told == ["503 Cannot check permissions with this Airflow version"] * 5, ran.stderr[-2000:]


class Stranger:
    """A user of an auth manager that is not there."""

    def get_name(self) -> str:
        """A name."""
        return "stranger"


def test_a_check_that_fails_refuses(archived: Archive) -> None:
    """Signed in, but the auth manager raises: 503 and no data, for seeing and for deciding."""
    from recording_archive.web import access  # noqa: PLC0415 - after AIRFLOW_HOME was set
    from recording_archive.web.app import create_app  # noqa: PLC0415
    from recording_archive.web.deps import get_archive  # noqa: PLC0415

    app = create_app()
    app.dependency_overrides = {access._signed_in: Stranger, get_archive: lambda: archived}
    row = first_row(archived)
    with TestClient(app, raise_server_exceptions=False) as client:
        reply = client.get(f"api/recordings/{row.interaction_id}/{row.recording_id}")
        assert (reply.status_code, row.sha256 in reply.text) == (503, False)
        app.dependency_overrides[access.guard] = _let_in
        assert client.post(ACKNOWLEDGE, json=DECISION, headers=WRITE).status_code == 503


def _let_in(request: Request) -> None:
    request.state.archive_user = Stranger()


def test_played_is_one_event_per_user_and_ten_minutes(app_client: TestClient, archived: Archive) -> None:
    """A player's many ranges are one event, which is there before the first byte."""
    row = first_row(archived)
    for start in (0, 100, 200):
        path = f"api/recordings/{row.interaction_id}/{row.recording_id}/media"
        assert app_client.get(path, headers={"Range": f"bytes={start}-{start + 50}"}).status_code == 206
    noted: list[Row[Any]] = events_of(archived, "played", row.interaction_id)
    assert [(event.actor, event.recording_id) for event in noted] == [("tester", row.recording_id)]
    with archived.catalog.read() as connection:
        assert connection.execute(select(events.c.id).where(events.c.kind == "downloaded")).all() == []
