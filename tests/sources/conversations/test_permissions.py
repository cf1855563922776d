"""What `check` finds out of the client's role, and what it says where the service does not tell."""

from __future__ import annotations

import pytest

from genesys_sandbox import Fault, SandboxOptions
from recording_archive.errors import AccessError
from recording_archive.sources.conversations.permissions import NEEDED, SENSITIVE, WEAKER, role_facts
from support.platform_run import Start, platform_client

EVERY = SandboxOptions().permissions
SUBJECT = "/api/v2/authorization/subjects/me"


def test_the_role_is_asked_for_in_full(start: Start) -> None:
    """Without ``includeFullRoles`` a role has a name and no permissions."""
    tasks = start(permissions=EVERY)
    assert tasks.source().probe().notes == ()
    facts = role_facts(platform_client(tasks.cloud))
    assert facts == {
        "missing": [],
        "under a condition": [],
        "minutes that URLs of batches live": 60,
        "minutes that URLs of playback live": 60,
        "requests a minute": None,
    }


@pytest.mark.parametrize("name", [NEEDED[1], SENSITIVE])
def test_a_permission_under_a_condition_is_a_warning(start: Start, name: str) -> None:
    """Recordings of other queues would be absent without a word."""
    tasks = start(permissions=EVERY, conditional=name)
    (note,) = tasks.source().probe().notes
    assert note.startswith(f"granted under a condition alone: {name}: ")
    assert role_facts(platform_client(tasks.cloud))["under a condition"] == [name]


def test_the_weaker_view_alone_is_no_view(start: Start) -> None:
    """It opens every path, and shows recordings that begin too late: the run would archive those."""
    tasks = start(permissions=EVERY.replace("recording:recording:view,", ""))
    with pytest.raises(AccessError, match=f"lacks recording:recording:view: .*{WEAKER}, which it has, shows cut"):
        tasks.source().probe()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/v2/tokens/me", "the divisions of the client cannot be seen"),
        ("/api/v2/authorization/divisions", "the divisions of the client cannot be seen"),
        ("/api/v2/recording/settings", "the settings of recordings cannot be seen"),
        ("/api/v2/organizations/limits/namespaces/platform.api", "the client's allowance of requests cannot be seen"),
    ],
)
@pytest.mark.parametrize("status", [403, 404, 500])
def test_what_a_run_does_without_stops_no_check(start: Start, path: str, says: str, status: int) -> None:
    """Settings, tokens, limits and divisions: each refusal is a warning of its own with the service's words."""
    tasks = start(permissions=EVERY)
    tasks.cloud.faults.add(Fault("status", "directory", status=status, route=f"GET {path}"))
    (note,) = tasks.source().probe().notes
    assert note.startswith(says)
    assert str(status) in note


@pytest.mark.parametrize("status", [403, 404, 500])
def test_without_a_word_about_the_role_it_is_tried(start: Start, status: int) -> None:
    """The needed permissions are tried one by one; what cannot be tried is told."""
    tasks = start(permissions=EVERY)
    tasks.cloud.faults.add(Fault("status", "directory", status=status, route=f"GET {SUBJECT}"))
    (note,) = tasks.source().probe().notes
    assert SENSITIVE in note
    assert role_facts(platform_client(tasks.cloud, sleep=lambda _: None))["missing"] is None
