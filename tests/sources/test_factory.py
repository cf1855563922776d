"""The registry of sources: every `api` that a connection may name leads to a source."""

from __future__ import annotations

from typing import get_args

import pytest
import requests

from recording_archive.settings import Settings
from recording_archive.sources.connection import read_facts
from recording_archive.sources.factory import SOURCES, Api


def test_every_api_has_a_source() -> None:
    """The names that a connection accepts are those of the registry."""
    assert list(SOURCES) == list(get_args(Api))


@pytest.mark.parametrize("api", SOURCES)
def test_a_connection_leads_to_its_source(settings: Settings, api: str) -> None:
    """The key of the coverage table begins with the API's name, and the organization is that of the connection."""
    facts = read_facts(
        "test", login="id", password="secret", host="eu-west-1", extra={"api": api, "organization": "acme"}
    )
    source = facts.source(requests.Session(), settings)
    assert (source.name, source.organization) == (f"{api}:acme", "acme")
