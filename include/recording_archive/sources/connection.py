"""A Genesys Cloud connection as plain facts, wherever it was defined: in Airflow or in ``GENESYS_*`` variables."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import requests
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from recording_archive.errors import ConfigurationError
from recording_archive.model import is_safe_id
from recording_archive.settings import Settings, read_secret
from recording_archive.sources import Source
from recording_archive.sources.client import ApiClient
from recording_archive.sources.factory import SOURCES, Api
from recording_archive.sources.regions import REGIONS, Endpoints, hosts_of, place_of, shared_media_hosts
from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.network import PROXY_KEYS, Network, network_of

CONN_ID = "genesys_cloud_default"
CONN_TYPE = "genesys_cloud"


def _listed(given: Any) -> Any:
    return [entry.strip() for entry in given.split(",") if entry.strip()] if isinstance(given, str) else given


def _by_scheme(given: Any) -> Any:
    return {"all": given.strip()} if isinstance(given, str) else given


class Extra(BaseModel):
    """The connection's extra; empty form fields arrive as null and mean the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api: Api
    api_base: str = ""
    login_base: str = ""
    media_hosts: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    allow_private_hosts: bool = False
    organization: str = "default"
    recording_metadata: bool = False
    participant_attributes: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    proxies: Annotated[dict[str, str], BeforeValidator(_by_scheme)] = Field(default_factory=dict)
    ca_file: str = ""

    @field_validator("proxies")
    @classmethod
    def _known_keys(cls, proxies: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(proxies.keys() - PROXY_KEYS):
            raise ValueError(f"{unknown[0]!r} is unknown: give {', '.join(sorted(PROXY_KEYS))}, or one address")
        return proxies


@dataclass(frozen=True, slots=True)
class Facts:
    """The addresses and credentials of one organization, and how its recordings are to be read."""

    client_id: str
    client_secret: str = field(repr=False)
    endpoints: Endpoints
    extra: Extra

    @property
    def media_hosts(self) -> MediaHosts:
        """The guard of the hosts media may come from."""
        return MediaHosts(
            self.media_patterns, allow_private=self.extra.allow_private_hosts, shared=self.shared_media_patterns
        )

    @property
    def media_patterns(self) -> list[str]:
        """The hosts media may come from; by default those of the domain."""
        domain = self.endpoints.domain
        return self.extra.media_hosts or [f"api-downloads.{domain}", f"*.{domain}"]

    @property
    def shared_media_patterns(self) -> list[str]:
        """The hosts to which signed URLs are followed as well; none where the connection names its hosts."""
        return [] if self.extra.media_hosts else shared_media_hosts(self.endpoints)

    def network(self, settings: Settings) -> Network:
        """The proxy and the CAs for API and media: of the extra, of the settings, or of the environment."""
        return network_of(self.extra.proxies, self.extra.ca_file, settings)

    def prepare(self, session: requests.Session, settings: Settings) -> None:
        """Let a session reach login and API over the network, and take nothing else from its surroundings."""
        network = self.network(settings)
        session.trust_env = False  # no netrc; proxies and CAs are those of `network`
        session.verify = network.certificates
        session.proxies = {}
        for base in (self.endpoints.login_base, self.endpoints.api_base):
            scheme, host, port = place_of(base)
            if proxy := network.proxy_for(host, port, scheme):
                session.proxies[f"{scheme}://{host}"] = proxy.url

    def source(
        self, session: requests.Session, settings: Settings, *, sleep: Callable[[float], None] = time.sleep
    ) -> Source:
        """Make the source that lists this organization's recordings; its requests go through ``session``."""
        kind = SOURCES[self.extra.api]
        self.prepare(session, settings)
        client = ApiClient(
            session,
            login_base=self.endpoints.login_base,
            api_base=self.endpoints.api_base,
            client_id=self.client_id,
            client_secret=self.client_secret,
            contract=kind.contract,
            retry_after_max_s=settings.retry_after_max_s,
            sleep=sleep,
        )
        return kind.make(client, self.extra, settings, sleep)


def read_facts(
    name: str, *, login: str | None, password: str | None, host: str | None, extra: Mapping[str, Any]
) -> Facts:
    """Check a connection; raise ConfigurationError that names the field and what belongs there."""
    if not login or not password:
        raise ConfigurationError(f"{name}: login (OAuth client id) and password (client secret) must both be set")
    given = {key: value for key, value in extra.items() if value not in (None, "")}
    if "api" not in given:
        raise ConfigurationError(
            f'{name}: extra needs "api": "conversations" (the public platform API) or "interactions"'
        )
    try:
        checked = Extra.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(f"extra.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"{name}: {problems}") from None
    if not is_safe_id(checked.organization):
        raise ConfigurationError(
            f"{name}: extra.organization may hold letters, digits, dots, dashes and underscores only"
        )
    endpoints = hosts_of(
        host or "",
        api_base=checked.api_base or None,
        login_base=checked.login_base or None,
        allow_private_hosts=checked.allow_private_hosts,
    )
    if checked.api == "conversations" and endpoints.is_alias:
        raise ConfigurationError(
            f"{name}: host {host!r} names no single region, and the platform API has a host in each: give one of "
            f"{', '.join(f'{region} ({domain})' for region, domain in REGIONS.items())}"
        )
    return Facts(login, password, endpoints, checked)


def facts_from_environment() -> Facts | None:
    """The connection that ``GENESYS_CLIENT_ID``, ``…_SECRET`` and ``GENESYS_REGION`` describe, or None without them.

    The secret may lie in the file that ``GENESYS_CLIENT_SECRET_FILE`` names.
    """
    login, password = os.environ.get("GENESYS_CLIENT_ID"), read_secret("GENESYS_CLIENT_SECRET")
    if not login and not password:
        return None
    extra = {"api": "interactions", "media_hosts": os.environ.get("GENESYS_MEDIA_HOSTS", "")}
    host = os.environ.get("GENESYS_REGION")
    if not host:
        raise ConfigurationError("GENESYS_REGION is not set: give a region (us-east-1) or a domain (mypurecloud.ie)")
    return read_facts("GENESYS_* variables", login=login, password=password, host=host, extra=extra)


def not_defined(conn_id: str) -> ConfigurationError:
    """The error for a connection that is nowhere."""
    return ConfigurationError(
        f"Connection {conn_id} is not defined: add it in Airflow (Admin > Connections, type Genesys Cloud), or set "
        "GENESYS_CLIENT_ID, GENESYS_CLIENT_SECRET and GENESYS_REGION in the environment of every Airflow component"
    )
