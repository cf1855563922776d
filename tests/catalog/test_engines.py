"""Engines: URLs that cannot be used, and passwords that stay out of errors."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import make_url, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.engines import with_driver
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import events
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


@pytest.mark.parametrize("value", [[1.5, None, "é"], float("inf"), "\ud83d", 10**30], ids=ascii)
def test_json_columns_are_read_as_they_were_written(tmp_path: Path, value: object) -> None:
    """Also what strict readers of JSON refuse: infinity, half of a surrogate pair, a number of thirty digits."""
    catalog = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    with catalog.write() as connection:
        record(connection, "tried", None, at=datetime.now(UTC), detail={"value": value})
    with catalog.read() as connection:
        assert connection.execute(select(events.c.detail)).scalar_one() == {"value": value}


class TestDrivers:
    """`postgresql://` works with the driver that is there."""

    @pytest.mark.parametrize(
        ("installed", "driver"),
        [(("psycopg2",), "psycopg2"), (("psycopg",), "psycopg"), (("psycopg2", "psycopg"), "psycopg2")],
    )
    @pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
    def test_the_one_that_is_installed_is_used(
        self, monkeypatch: pytest.MonkeyPatch, scheme: str, installed: tuple[str, ...], driver: str
    ) -> None:
        """Either of the two; the rest of the URL stays as it is."""
        self.only(monkeypatch, installed)
        url = with_driver(make_url(f"{scheme}://u:p@host:5433/d?sslmode=require"))
        assert url.render_as_string(hide_password=False) == f"postgresql+{driver}://u:p@host:5433/d?sslmode=require"

    def test_without_any_it_is_said_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The message has the name of the package, and no password."""
        self.only(monkeypatch, ())
        with pytest.raises(ConfigurationError, match="pip install psycopg2-binary") as caught:
            Catalog("postgresql://user:hunter2@host/d")
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize(
        ("driver", "package"), [("psycopg2", "psycopg2-binary"), ("psycopg", r"'psycopg\[binary\]'")]
    )
    def test_a_driver_that_the_url_names_is_not_replaced(
        self, monkeypatch: pytest.MonkeyPatch, driver: str, package: str
    ) -> None:
        """Where it is missing, the message says what brings it."""
        self.only(monkeypatch, ())
        with pytest.raises(ConfigurationError, match=f"pip install {package}"):
            Catalog(f"postgresql+{driver}://u:p@host/d")

    def test_a_driver_without_its_library_is_passed_over(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A package that cannot be loaded counts as missing, and its reason is told."""
        self.only(monkeypatch, ())
        (tmp_path / "psycopg.py").write_text("raise ImportError('no pq wrapper available')")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "psycopg")
        with pytest.raises(ConfigurationError, match="no pq wrapper available"):
            with_driver(make_url("postgresql://u@host/d"))

    def only(self, monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...]) -> None:
        """Let Python find these drivers and no others."""
        for name in ("psycopg2", "psycopg"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name) if name in installed else None)
