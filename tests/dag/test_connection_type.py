"""The connection type `genesys_cloud` inside a real Airflow: its form, its *Test* button, its stand-ins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.dag_world import World

pytestmark = pytest.mark.airflow


def answer_of(world: World, **changes: Any) -> dict[str, Any]:
    """What the *Test* button answers for the sandbox's connection with these changes."""
    connection = world.sandbox.connection() | changes
    extra = connection.pop("extra")
    body = {"connection_id": "tried", **connection, "extra": json.dumps(extra)}
    found: dict[str, Any] = world.airflow.call("POST", "/connections/test", body)
    return found


def test_type_is_offered_with_its_fields(quiet: World) -> None:
    """Airflow's form offers the type, with every field of the extra, each of which may stay empty."""
    (offered,) = [
        entry
        for entry in quiet.airflow.call("GET", "/connections/hook_meta", api="ui")
        if entry["connection_type"] == "genesys_cloud"
    ]
    fields = offered["extra_fields"]
    common = {
        "api",
        "api_base",
        "login_base",
        "media_hosts",
        "allow_private_hosts",
        "organization",
        "proxies",
        "ca_file",
    }
    assert set(fields) == common | {"recording_metadata", "participant_attributes"}
    assert all("null" in field["schema"]["type"] for field in fields.values())
    assert offered["standard_fields"]["login"]["title"] == "Client ID"


def test_button_tries_the_connection(quiet: World) -> None:
    """*Test* asks for a token and one query, and says what it reached."""
    answer = answer_of(quiet)
    assert answer["status"], answer
    assert quiet.sandbox.api_base in answer["message"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"password": "wrong"}, "OAuth"),
        ({"login": None}, "login (OAuth client id) and password (client secret) must both be set"),
        ({"extra": {}}, 'extra needs "api"'),
        ({"extra": {"api": "interactions", "media_host": "x"}}, "extra.media_host"),
        ({"extra": {"api": "interactions"}, "host": "nowhere"}, "is no Genesys Cloud region"),
    ],
)
def test_button_says_what_is_wrong(quiet: World, changes: dict[str, Any], says: str) -> None:
    """A wrong connection is refused with the field's name and what belongs there, and never with the secret."""
    answer = answer_of(quiet, **changes)
    assert not answer["status"]
    assert says in answer["message"]
    assert quiet.sandbox.client_secret not in answer["message"]


def test_form_fields_left_empty_mean_the_default(quiet: World) -> None:
    """The form sends null for empty fields and a comma list for hosts."""
    extra = quiet.sandbox.connection()["extra"]
    blank = {"organization": None, "media_hosts": ", ".join(extra["media_hosts"])}
    assert answer_of(quiet, extra=extra | blank)["status"]
