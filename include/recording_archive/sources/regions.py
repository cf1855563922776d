"""Region or domain of a Genesys Cloud organization → the hosts to talk to."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from recording_archive.errors import ConfigurationError

__all__ = ["REGIONS", "Endpoints", "hosts_of", "place_of", "shared_media_hosts"]

# As in the official Python SDK's PureCloudRegionHosts; the last two are FedRAMP and the EU sovereign region.
REGIONS = {
    "us-east-1": "mypurecloud.com",
    "us-west-2": "usw2.pure.cloud",
    "ca-central-1": "cac1.pure.cloud",
    "mx-central-1": "mxc1.pure.cloud",
    "sa-east-1": "sae1.pure.cloud",
    "eu-west-1": "mypurecloud.ie",
    "eu-west-2": "euw2.pure.cloud",
    "eu-central-1": "mypurecloud.de",
    "eu-central-2": "euc2.pure.cloud",
    "me-central-1": "mec1.pure.cloud",
    "ap-northeast-1": "mypurecloud.jp",
    "ap-northeast-2": "apne2.pure.cloud",
    "ap-northeast-3": "apne3.pure.cloud",
    "ap-south-1": "aps1.pure.cloud",
    "ap-southeast-1": "apse1.pure.cloud",
    "ap-southeast-2": "mypurecloud.com.au",
    "us-east-2": "use2.us-gov-pure.cloud",
    "eusc-de-east-1": "edee1.eusc-pure.cloud",
}
_SHORT = {name: f"{name}.genesyscloud.com" for name in ("us", "eu", "ap")}
_BY_NAME = {**REGIONS, **_SHORT}
_REGION_OF = {domain: region for region, domain in REGIONS.items()}
_DOMAINS = frozenset(_BY_NAME.values())


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs without a trailing slash, the domain that media hosts belong to, and its AWS region if it has one."""

    login_base: str
    api_base: str
    domain: str

    @property
    def region(self) -> str | None:
        """The AWS region of the domain; None for a gateway and for an alias."""
        return _REGION_OF.get(self.domain)

    @property
    def is_alias(self) -> bool:
        """Tell if the domain is one that stands for no single region: ``us``, ``eu``, ``ap``."""
        return self.domain in _SHORT.values()


def shared_media_hosts(endpoints: Endpoints) -> list[str]:
    """Hosts that signed media URLs may lead to besides the domain's own: other regions' domains, S3, CloudFront.

    Recordings may be stored in another region than the organization's (``RecordingMetadata.region``).
    """
    genesys = [f"*.{domain}" for domain in REGIONS.values() if domain != endpoints.domain]
    region = endpoints.region
    if region is None:
        return [*genesys, "*.cloudfront.net"]
    suffix = "amazonaws.eu" if region.startswith("eusc-") else "amazonaws.com"
    s3 = [f"s3.{region}.{suffix}", f"*.s3.{region}.{suffix}", f"*.s3.dualstack.{region}.{suffix}"]
    oldest = ["s3.amazonaws.com", "*.s3.amazonaws.com"] if region == "us-east-1" else []
    return [*genesys, *s3, *oldest, "*.cloudfront.net"]


def hosts_of(
    host: str, *, login_base: str | None = None, api_base: str | None = None, allow_private_hosts: bool = False
) -> Endpoints:
    """Read ``us-east-1``, ``eu_west_1``, ``eu``, ``mypurecloud.ie`` or ``api.mypurecloud.ie``, in any case.

    ``login_base`` and ``api_base`` replace what follows from the host: a gateway or the sandbox. With both, the host
    does not count, and the domain is the host name of ``api_base``. Plain http needs ``allow_private_hosts``, because
    the client secret would cross the network in the clear. Raise ConfigurationError for anything else.
    """
    login = _base("login_base", login_base, allow_private_hosts)
    api = _base("api_base", api_base, allow_private_hosts)
    if login and api:
        return Endpoints(login, api, urlsplit(api).hostname or "")
    domain = _domain_of(host)
    return Endpoints(login or f"https://login.{domain}", api or f"https://api.{domain}", domain)


def place_of(base: str) -> tuple[str, str, int]:
    """Scheme, host and port of a base URL."""
    parts = urlsplit(base)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _domain_of(host: str) -> str:
    name = host.strip().casefold().removeprefix("https://").rstrip("/").rstrip(".")
    for prefix in ("login.", "api."):
        name = name.removeprefix(prefix)
    if name in _DOMAINS:
        return name
    try:
        return _BY_NAME[name.replace("_", "-")]
    except KeyError:
        raise ConfigurationError(
            f"Host {host!r} is no Genesys Cloud region. Set the connection's host (or GENESYS_REGION) to one of: "
            f"{', '.join(_BY_NAME)}; or to its domain, such as mypurecloud.ie or {_SHORT['us']}; "
            "or leave it empty and give both login_base and api_base in the extra."
        ) from None


def _base(name: str, url: str | None, allow_private_hosts: bool) -> str:
    if not url:
        return ""
    parts = _split(url)
    # The value is not repeated: it may hold the user and password that are refused here.
    if parts is None or parts.username is not None or parts.query or parts.fragment or not parts.hostname:
        raise ConfigurationError(f"{name} must be a base URL such as https://api.example.com, nothing after the path")
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_private_hosts):
        raise ConfigurationError(
            f"{name} must begin with https://; plain http would show the client secret on the network "
            "and needs allow_private_hosts in the extra"
        )
    return url.rstrip("/")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        return None
    return None if set(url) & set(" \\") or not url.isprintable() else parts
