"""Connections as plain facts: what is read, what stands in, what is refused."""

from __future__ import annotations

from pathlib import Path
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


SIGNED = "X-Amz-Date=1&X-Amz-Signature=ab"


@pytest.mark.parametrize(
    "url",
    [
        "https://api-downloads.mypurecloud.ie/MediaCache/a/b?Expires=1&Signature=ab&Key-Pair-Id=K",
        "https://api-downloads.euw2.pure.cloud/MediaCache/a/b?Expires=1&Signature=ab&Key-Pair-Id=K",
        "https://api-downloads.edee1.eusc-pure.cloud/a?Signature=ab",
        f"https://recordings.s3.eu-west-1.amazonaws.com/a?{SIGNED}",
        f"https://recordings.s3.dualstack.eu-west-1.amazonaws.com/a?{SIGNED}",
        f"https://s3.eu-west-1.amazonaws.com/recordings/a?{SIGNED.lower()}",
        "https://d111111abcdef8.cloudfront.net/a?Expires=1&Signature=ab&Key-Pair-Id=K",
    ],
)
def test_the_hosts_of_the_service_need_no_setting(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Media may lie at another domain of Genesys Cloud, in S3 of the organization's region, or behind CloudFront."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("52.218.0.1", 443))])
    assert facts(api="conversations").media_hosts.check(url).address == "52.218.0.1"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://recordings.s3.eu-west-1.amazonaws.com/a", "signed URLs alone"),
        ("https://d111111abcdef8.cloudfront.net/a?NoSignature=ab", "signed URLs alone"),
        ("https://d111111abcdef8.cloudfront.net/a?Signature=", "signed URLs alone"),
        (f"https://recordings.s3.us-west-2.amazonaws.com/a?{SIGNED}", "not permitted"),
        (f"https://ec2.eu-west-1.amazonaws.com/a?{SIGNED}", "not permitted"),
        (f"https://cloudfront.net.evil.test/a?{SIGNED}", "not permitted"),
        (f"https://d1.cloudfront.net:8443/a?{SIGNED}", "not permitted"),
        (f"http://d1.cloudfront.net/a?{SIGNED}", "plain http"),
    ],
)
def test_others_need_one(url: str, says: str) -> None:
    """Hosts that anybody may rent count only for signed URLs; other regions and services not at all."""
    with pytest.raises(PermanentError, match=says):
        facts(api="conversations").media_hosts.check(url)


def test_a_shared_host_is_never_private(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where private hosts are allowed: nothing of ours is called so, and plain http is not followed."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.1", 443))])
    hosts = facts(api="conversations", allow_private_hosts=True).media_hosts
    with pytest.raises(PermanentError, match="private"):
        hosts.check(f"https://d1.cloudfront.net/a?{SIGNED}")
    with pytest.raises(PermanentError, match="not permitted"):
        hosts.check(f"http://d1.cloudfront.net/a?{SIGNED}")
    assert hosts.check("https://a.mypurecloud.ie/a").address == "10.0.0.1"


def test_hosts_that_are_named_are_the_only_ones() -> None:
    """A list in the connection replaces all defaults."""
    hosts = facts(api="conversations", media_hosts="media.example.com").media_hosts
    for host in ("api-downloads.mypurecloud.ie", "d1.cloudfront.net"):
        with pytest.raises(PermanentError, match="not permitted"):
            hosts.check(f"https://{host}/a?{SIGNED}")


@pytest.mark.parametrize("alias", ["us", "eu", "AP", "eu.genesyscloud.com", "api.eu.genesyscloud.com"])
def test_an_alias_is_no_region_of_the_platform_api(alias: str) -> None:
    """The platform API has a host in each region; the list of them is the answer. The other API knows aliases."""
    with pytest.raises(ConfigurationError, match=r"eu-west-1 \(mypurecloud\.ie\)"):
        facts(alias, api="conversations")
    assert facts(alias).endpoints.domain.endswith("genesyscloud.com")
    bases = {"api_base": "https://gw.example.com", "login_base": "https://gw.example.com"}
    assert facts(alias, api="conversations", **bases).endpoints.domain == "gw.example.com"


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


def test_the_secret_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As for every other secret: by a variable of its own, and not in both places."""
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("GENESYS_CLIENT_ID", "id")
    monkeypatch.setenv("GENESYS_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("GENESYS_REGION", "us-east-1")
    monkeypatch.delenv("GENESYS_CLIENT_SECRET", raising=False)
    found = facts_from_environment()
    assert found is not None
    assert found.client_secret == "from a file"
    monkeypatch.setenv("GENESYS_CLIENT_SECRET", "secret")
    with pytest.raises(ConfigurationError, match="GENESYS_CLIENT_SECRET and GENESYS_CLIENT_SECRET_FILE are both set"):
        facts_from_environment()


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
