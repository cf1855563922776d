"""Region, domain or override → hosts."""

from __future__ import annotations

import pytest

from recording_archive.errors import ConfigurationError
from recording_archive.sources.regions import REGIONS, Endpoints, hosts_of


@pytest.mark.parametrize(("region", "domain"), REGIONS.items())
def test_every_region_is_known_by_its_aws_name_and_by_its_domain(region: str, domain: str) -> None:
    """Hyphens or underscores, any case, with or without the login. and api. of a copied host name."""
    expected = Endpoints(f"https://login.{domain}", f"https://api.{domain}", domain)
    copied = (f"login.{domain}", f"api.{domain}", f"https://api.{domain}/")
    for host in (region, region.replace("-", "_"), f" {region.upper()} ", domain, domain.upper(), *copied):
        assert hosts_of(host) == expected


def test_the_public_regions_are_eighteen_with_a_domain_each() -> None:
    """A region that is dropped or mapped to another's domain is noticed."""
    assert len(REGIONS) == len(set(REGIONS.values())) == 18
    assert hosts_of("eu_west_1").domain == "mypurecloud.ie"


@pytest.mark.parametrize("name", ["us", "eu", "ap"])
def test_short_names_stand_for_genesyscloud_domains(name: str) -> None:
    """``us`` is us.genesyscloud.com, by either name."""
    assert hosts_of(name) == hosts_of(f"{name}.genesyscloud.com")
    assert hosts_of(name).api_base == f"https://api.{name}.genesyscloud.com"


@pytest.mark.parametrize(
    "host", ["", "  ", "eu-west-9", "example.com", "mypurecloud.com.evil.example", "xmypurecloud.ie"]
)
def test_an_unknown_host_is_refused_with_what_is_accepted(host: str) -> None:
    """The credentials never go to a host that merely looks like Genesys Cloud."""
    with pytest.raises(ConfigurationError) as caught:
        hosts_of(host)
    for accepted in ("us-east-1", "eusc-de-east-1", "mypurecloud.ie", "us.genesyscloud.com", "api_base"):
        assert accepted in str(caught.value)


def test_bases_replace_what_follows_from_the_host() -> None:
    """A gateway may stand before one API or both; the media domain stays the region's."""
    gateway = "https://gateway.example.com/genesys"
    assert hosts_of("eu-west-1", api_base=gateway + "/") == Endpoints(
        "https://login.mypurecloud.ie", gateway, "mypurecloud.ie"
    )
    assert hosts_of("", login_base=gateway, api_base=gateway) == Endpoints(gateway, gateway, "gateway.example.com")
    with pytest.raises(ConfigurationError):
        hosts_of("", api_base=gateway)


def test_plain_http_needs_permission() -> None:
    """The client secret does not cross a network in the clear by a slip of the configuration."""
    sandbox = "http://127.0.0.1:9000"
    with pytest.raises(ConfigurationError, match="allow_private_hosts"):
        hosts_of("us", login_base=sandbox)
    assert hosts_of("us", login_base=sandbox, allow_private_hosts=True).login_base == sandbox


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "https://",
        "ftp://api.example.com",
        "https://user:hunter2@api.example.com",
        "https://api.example.com/?key=hunter2",
        "https://api.example.com/#hunter2",
        "https://api.example.com:hunter2",
        "https://api.example.com/ x",
        "https://api.example.com\\@evil.example",
    ],
)
def test_a_malformed_base_is_refused_without_repeating_it(url: str) -> None:
    """The URL may hold a password."""
    with pytest.raises(ConfigurationError, match="api_base") as caught:
        hosts_of("us", api_base=url)
    assert "hunter2" not in str(caught.value)
