"""Engines: URLs that cannot be used, and passwords that stay out of errors."""

from __future__ import annotations

import pytest

from recording_archive.catalog.database import Catalog
from recording_archive.errors import ConfigurationError, TransientError


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x"])
def test_unusable_url_is_a_named_error(url: str) -> None:
    """A URL that no installed driver knows is refused by the setting's name."""
    with pytest.raises(ConfigurationError, match="RECORDING_ARCHIVE_CATALOG_URL"):
        Catalog(url)


def test_password_stays_out_of_errors() -> None:
    """An error about the catalog hides the password in its URL."""
    with pytest.raises((TransientError, ConfigurationError)) as caught:
        Catalog("postgresql://user:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)
