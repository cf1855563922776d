"""The connection type `genesys_cloud`: Airflow's connection made into a source and a media client."""

from __future__ import annotations

import threading
from typing import Any

import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk.log import mask_secret

from recording_archive.errors import ArchiveError
from recording_archive.settings import Settings, read_settings
from recording_archive.sources import Source
from recording_archive.sources.connection import (
    CONN_ID,
    CONN_TYPE,
    Facts,
    facts_from_environment,
    not_defined,
    read_facts,
)
from recording_archive.tasks.airflow_versions import AirflowNotFoundException
from recording_archive.tasks.session import stoppable_sleep
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits


class GenesysCloudHook(HttpHook):
    """An Airflow connection of type `genesys_cloud`, or the ``GENESYS_*`` variables in its place."""

    conn_name_attr = "genesys_conn_id"
    default_conn_name = CONN_ID
    conn_type = CONN_TYPE
    hook_name = "Genesys Cloud"

    def __init__(self, genesys_conn_id: str = CONN_ID) -> None:
        super().__init__(method="POST", http_conn_id=genesys_conn_id)
        self.genesys_conn_id = genesys_conn_id

    def facts(self) -> Facts:
        """Read and check the connection; raise ConfigurationError that names what is wrong."""
        try:
            found = self.get_connection(self.genesys_conn_id)
        except AirflowNotFoundException:
            facts = facts_from_environment()
            if facts is None:
                raise not_defined(self.genesys_conn_id) from None
        else:
            name = f"Connection {self.genesys_conn_id}"
            facts = read_facts(
                name, login=found.login, password=found.password, host=found.host, extra=found.extra_dejson
            )
        for secret in (facts.client_secret, *facts.network(read_settings()).passwords()):
            mask_secret(secret)
        return facts

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """Make a session with HttpHook's keep-alive adapters; the API client decides which host gets the token."""
        facts = self.facts()
        session = requests.Session()
        self.base_url = facts.endpoints.api_base
        facts.prepare(session, read_settings())
        session.headers.update(headers or {})
        if extra_options:
            session.verify = extra_options.get("verify", session.verify)
        return self._configure_session_from_mount_adapters(session)

    def source(self, settings: Settings, stop: threading.Event | None = None) -> Source:
        """Make the source that lists the recordings; a wait of its client ends when ``stop`` is set."""
        sleep = stoppable_sleep(stop or threading.Event())
        return self.facts().source(self.get_conn(), settings, sleep=sleep)

    def media(self, settings: Settings, stop: threading.Event) -> MediaClient:
        """Make the client that fetches media; a transfer ends when ``stop`` is set."""
        facts = self.facts()
        network = facts.network(settings)
        return MediaClient(facts.media_hosts, TransferLimits.of(settings), stop=stop, network=network)

    def test_connection(self) -> tuple[bool, str]:
        """Try token, permissions and one small query, as the *Test* button asks."""
        try:
            probe = self.source(read_settings()).probe()
        except ArchiveError as error:
            return False, str(error)
        reached = f"Connected to {probe.api_base}: token granted, recordings can be listed"
        return True, "; ".join([reached, *(f"warning: {note}" for note in probe.notes)])
