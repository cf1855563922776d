"""Connections as plain facts: what is read, what stands in, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive.errors import ConfigurationError, PermanentError
from recording_archive.sources.connection import Facts, facts_from_environment, not_defined, read_facts


def facts(host: str | None = "eu_west_1", **extra: Any) -> Facts:
    return read_facts("Connection x", login="id", password="secret", host=host, extra={"api": "interactions", **extra})


def test_region_gives_addresses_and_media_hosts() -> None:
    """A region alone is enough: login, API and media hosts follow from it."""
    found = facts()
    assert found.endpoints.login_base == "https://login.mypurecloud.ie"
    assert found.endpoints.api_base == "https://api.mypurecloud.ie"
    assert found.extra.organization == "default"
    with pytest.raises(PermanentError, match="media_hosts"):
        found.media_hosts.check("https://mypurecloud.ie.evil.example/x")


def test_secret_is_not_shown() -> None:
    """The representation of the facts, which lands in tracebacks, holds no secret."""
    assert "secret" not in repr(facts())


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_form_fields_mean_the_default(empty: object) -> None:
    """Airflow's form sends null for what was left empty."""
    found = facts(organization=empty, media_hosts=empty, allow_private_hosts=empty, api_base=empty)
    assert found.extra == facts().extra


def test_media_hosts_may_be_a_comma_list() -> None:
    """The form has one text field for the hosts; JSON has a list."""
    assert (
        facts(media_hosts="a.example.com, *.b.example.com").extra
        == facts(media_hosts=["a.example.com", "*.b.example.com"]).extra
    )


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"api": "recordings"}, "extra.api"),
        ({"media_host": "x"}, "extra.media_host"),
        ({"organization": "a/b"}, "extra.organization"),
        ({"allow_private_hosts": "perhaps"}, "extra.allow_private_hosts"),
        ({"api_base": "http://api.example.com"}, "api_base"),
    ],
)
def test_wrong_extra_is_named(extra: dict[str, Any], says: str) -> None:
    """A field that is unknown or has a wrong value is refused by its name."""
    with pytest.raises(ConfigurationError, match=says):
        facts(**extra)


def test_api_has_no_default() -> None:
    """The API must be chosen, and the error names the choices."""
    with pytest.raises(ConfigurationError, match=r"conversations.*interactions"):
        read_facts("Connection x", login="id", password="secret", host="us", extra={})


def test_variables_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a connection, the GENESYS_* variables describe one."""
    monkeypatch.setenv("GENESYS_CLIENT_ID", "id")
    monkeypatch.setenv("GENESYS_CLIENT_SECRET", "secret")
    monkeypatch.setenv("GENESYS_REGION", "us-east-1")
    monkeypatch.setenv("GENESYS_MEDIA_HOSTS", "media.example.com")
    found = facts_from_environment()
    assert found is not None
    assert found.endpoints.api_base == "https://api.mypurecloud.com"
    assert found.extra.media_hosts == ["media.example.com"]
    assert found.extra.api == "interactions"


def test_half_a_stand_in_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten region is asked for by its variable."""
    monkeypatch.setenv("GENESYS_CLIENT_ID", "id")
    monkeypatch.setenv("GENESYS_CLIENT_SECRET", "secret")
    monkeypatch.delenv("GENESYS_REGION", raising=False)
    with pytest.raises(ConfigurationError, match="GENESYS_REGION"):
        facts_from_environment()


def test_with_neither_both_ways_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no connection and no variables the error says how to give either."""
    for name in ("GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    assert facts_from_environment() is None
    assert "GENESYS_CLIENT_ID" in str(not_defined("genesys_cloud_default"))
    assert "Admin > Connections" in str(not_defined("genesys_cloud_default"))


def test_the_conversations_api_has_fields_of_its_own() -> None:
    """Metadata and attributes cost requests, so both are off unless they are asked for."""
    found = facts(api="conversations").extra
    assert (found.api, found.recording_metadata, found.participant_attributes) == ("conversations", False, [])
    more = facts(api="conversations", recording_metadata="true", participant_attributes="a, b").extra
    assert (more.recording_metadata, more.participant_attributes) == (True, ["a", "b"])
