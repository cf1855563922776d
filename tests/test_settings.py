"""Settings: every one documented, every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from recording_archive.archive import Archive
from recording_archive.errors import ConfigurationError
from recording_archive.settings import PREFIX, Settings, read_settings
from support.commands import Command


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
        ("ALERT_ARGUMENTS", "text=hello", "no JSON object"),
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


@pytest.mark.parametrize("name", ["URL", "STAGING_URL", "POLICY_URL"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("ftp://host", "'ftp://host' cannot be used"),
        ("data/archive", "'data/archive' is a relative path"),
        ("/data/archive\r", r"'/data/archive\\r' holds a line break"),
        ('"/data/archive"', "holds quotes"),
        ("file://server/archive", "names the host 'server'"),
    ],
)
def test_a_place_that_would_be_another_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    """An error, not a folder that is named after it or that each program looks for elsewhere."""
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(ConfigurationError, match=says) as caught:
        read_settings()
    assert f"{PREFIX}{name}: " in str(caught.value)


@pytest.mark.parametrize(
    "value", ["sqlite:///catalog.db", "sqlite:////data/catalog.db\r", '"postgresql://u:hidden@h/d"']
)
def test_a_catalog_that_would_be_another_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A relative file, a line break and quotes are named; a password is not."""
    monkeypatch.setenv(f"{PREFIX}CATALOG_URL", value)
    with pytest.raises(ConfigurationError, match=f"{PREFIX}CATALOG_URL: .*(relative path|line break)") as caught:
        read_settings()
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("form", ["file://{}", "file:{}", "file://localhost{}", "{}"])
def test_an_archive_is_found_by_every_form_of_its_url(
    command: Command, archived: Archive, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """A command reads the same archive, whichever form its URL has."""
    monkeypatch.setenv(f"{PREFIX}URL", form.format(archived.settings.root))
    read_settings.cache_clear()
    ended = command("verify", "--all")
    assert (ended.code, "6 recordings verified, 0 bad" in ended.out) == (0, True), ended


class TestSecretsByFile:
    """`NAME_FILE` names the file that holds the secret NAME."""

    @pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if not field.repr])
    def test_every_secret_may_lie_in_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
        """Its line end is none of it; the example file says so."""
        file = tmp_path / "secret"
        file.write_bytes(b"sqlite:////x\r\n")
        monkeypatch.setenv(f"{PREFIX}{name.upper()}_FILE", str(file))
        assert getattr(read_settings(), name) == "sqlite:////x"
        assert f"{PREFIX}{name.upper()}_FILE" in Path(__file__).parents[1].joinpath(".env.example").read_text()

    def test_a_catalog_named_in_a_file_is_opened(
        self, command: Command, archived: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A command finds the catalog as if the variable itself had its URL."""
        file = tmp_path / "catalog-url"
        file.write_text(f"{archived.settings.catalog_url}\n")
        monkeypatch.delenv(f"{PREFIX}CATALOG_URL")
        monkeypatch.setenv(f"{PREFIX}CATALOG_URL_FILE", f"file:{file}")
        read_settings.cache_clear()
        ended = command("verify", "--all")
        assert (ended.code, "6 recordings verified, 0 bad" in ended.out) == (0, True), ended

    @pytest.mark.parametrize(
        ("content", "says"), [(None, "No such file"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff", "no text")]
    )
    def test_a_file_that_gives_no_secret_is_an_error(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str
    ) -> None:
        """A default must not take its place without a word."""
        file = tmp_path / "secret"
        if content is not None:
            file.write_bytes(content)
        monkeypatch.setenv(f"{PREFIX}ERASURE_KEY_FILE", str(file))
        with pytest.raises(ConfigurationError, match=f"{PREFIX}ERASURE_KEY_FILE.*{says}"):
            read_settings()

    def test_both_is_an_error(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Nobody would know which of two is in force; neither is shown."""
        monkeypatch.setenv(f"{PREFIX}ERASURE_KEY", "ab" * 32)
        monkeypatch.setenv(f"{PREFIX}ERASURE_KEY_FILE", str(tmp_path / "key"))
        with pytest.raises(ConfigurationError, match="are both set") as caught:
            read_settings()
        assert "abab" not in str(caught.value)

    def test_no_secret_is_shown(self) -> None:
        """A log of settings shows none."""
        assert "hidden" not in repr(Settings(catalog_url="postgresql://u:hidden@h/d", erasure_key="hidden"))
