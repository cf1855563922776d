"""Settings: every one documented, every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from recording_archive.errors import ConfigurationError
from recording_archive.settings import PREFIX, Settings, read_settings


@pytest.fixture(autouse=True)
def _fresh() -> None:
    read_settings.cache_clear()


def test_example_file_lists_every_setting_with_its_default() -> None:
    """`.env.example` and the code cannot drift apart."""
    lines = Path(__file__).parents[1].joinpath(".env.example").read_text().splitlines()
    told = dict(line.removeprefix("#").split("=", 1) for line in lines if line.startswith(f"#{PREFIX}"))
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert told == {f"{PREFIX}{name.upper()}": "" if at is None else str(at) for name, at in defaults.items()}


def test_every_setting_says_what_it_is() -> None:
    """Each setting has a description."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TIMEZONE", "Mars/Olympus", "is not an IANA time zone"),
        ("BATCH_PARTS", "0", "greater than or equal to 1"),
        ("TRANSFERS", "many", "valid integer"),
    ],
)
def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    """A wrong value is refused with the variable's name and what would be right."""
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(ConfigurationError, match=says) as caught:
        read_settings()
    assert f"{PREFIX}{name}" in str(caught.value)


def test_places_follow_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Staging and catalog lie beside the root unless they are set."""
    monkeypatch.setenv(f"{PREFIX}URL", f"file://{tmp_path}/archive")
    settings = read_settings()
    assert settings.root == tmp_path / "archive"
    assert settings.staging == tmp_path / "staging"
    assert settings.catalog == f"sqlite:///{tmp_path}/catalog.db"


def test_unsupported_root_is_refused() -> None:
    """A root that this version cannot write to is an error, not a folder named after it."""
    with pytest.raises(ConfigurationError, match="RECORDING_ARCHIVE_URL='ftp://host'"):
        _ = Settings(url="ftp://host").root
