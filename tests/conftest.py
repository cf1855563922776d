"""A small real archive for tests: a sandbox to archive from, and the four use cases run against it."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from datetime import date
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine, create_engine
from xdist.scheduler import LoadScopeScheduling

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.report import Summary
from recording_archive.catalog import engines
from recording_archive.settings import Settings, read_settings
from support.commands import Command, configure, run_command
from support.runner import Runner, settings_below

collect_ignore = [] if find_spec("botocore") else ["cluster"]  # `make test-cluster` installs what those need

hypothesis_settings.register_profile("patient", deadline=None)  # machines are busy; `--timeout` ends what hangs
hypothesis_settings.load_profile("patient")

_MEMORY, _ROOM_BYTES = Path("/dev/shm"), 4 * 2**30  # noqa: S108  # pytest makes a folder of its own in it
_ON_A_SITE = tuple(
    f"tests/web/{name}.py"
    for name in ("test_access", "test_api", "test_api_docs", "test_browser", "test_evidence_web", "media/test_retrieve")
)
_LONG = (  # the longest first, so that neither core waits for the other at the end
    "tests/dag/",
    *_ON_A_SITE,
    "tests/disposition/test_recheck.py",
    "tests/resilience/",
    "tests/disposition/test_surprises.py",
    "tests/sources/conversations/test_troubles.py",
)


class ByModule(LoadScopeScheduling):
    """Keeps together in one process what shares a scheduler or a site, and else the tests of a module."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_ON_A_SITE):
            return "site"
        return "dag" if nodeid.startswith("tests/dag/") else nodeid.partition("::")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Keep the folders of tests in memory where there is room: their syncs need no disk, and a kill loses none."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    """Tests on two cores, in the order in which they were collected."""
    config.option.loadscopereorder = False
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""
    items.sort(key=lambda item: next((place for place, name in enumerate(_LONG) if item.nodeid.startswith(name)), 99))


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    """Each query is compiled once for all SQLite catalogs of the process, and not for each of them anew."""
    compiled: dict[Any, Any] = {}
    with create_engine("sqlite://", json_deserializer=engines._from_json).connect() as first:
        dialect = first.dialect

    def create(*arguments: Any, **named: Any) -> Engine:
        engine = create_engine(*arguments, **named)
        if engine.dialect.name == dialect.name:
            engine.dialect = dialect
            engine.update_execution_options(compiled_cache=compiled)
        return engine

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(engines, "create_engine", create)
        yield


@pytest.fixture(autouse=True)
def _no_log_into_closed_streams() -> None:
    """Airflow, once imported, logs to the standard error of the test that imported it."""
    for handler in list(logging.root.handlers):
        if getattr(getattr(handler, "stream", None), "closed", False):
            logging.root.removeHandler(handler)


@pytest.fixture(scope="session")
def cloud_of_the_session() -> Iterator[Sandbox]:
    """Six small calls of 20 November 2026; every fourth without a checksum."""
    options = SandboxOptions(
        days=1,
        per_day=6,
        min_bytes=20_000,
        max_bytes=80_000,
        end=date(2026, 11, 21),
        checksum_missing_every=4,
        rate_per_minute=0,
    )
    with Sandbox(options) as sandbox:
        yield sandbox


@pytest.fixture
def cloud(cloud_of_the_session: Sandbox) -> Iterator[Sandbox]:
    """The sandbox of the session without faults and without memory of earlier tests."""
    cloud_of_the_session.faults.clear()
    cloud_of_the_session.requests.clear()
    yield cloud_of_the_session
    cloud_of_the_session.faults.clear()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings for an archive that does not exist yet."""
    return settings_below(tmp_path)


@pytest.fixture
def archive(settings: Settings) -> Iterator[Archive]:
    """A founded archive without recordings."""
    opened = open_archive(settings)
    yield opened
    opened.catalog.close()


@pytest.fixture
def run(cloud: Sandbox) -> Callable[..., Summary]:
    """Run ``run(archive, run_id[, request])`` against the sandbox."""
    return Runner(cloud)


@pytest.fixture
def configured(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings of this test in the environment, where commands read them."""
    configure(settings, monkeypatch)
    yield settings
    read_settings.cache_clear()


@pytest.fixture
def command(configured: Settings, capsys: pytest.CaptureFixture[str]) -> Command:  # noqa: ARG001 - in the environment
    """Run ``recording-archive …`` in this process, on the archive of the test."""
    return partial(run_command, capsys)


@pytest.fixture(scope="session")
def archived_once(tmp_path_factory: pytest.TempPathFactory, cloud_of_the_session: Sandbox) -> Path:
    """The folder of an archive that holds the day's recordings; copied for each test, never opened by one."""
    folder = tmp_path_factory.mktemp("archived")
    archive = open_archive(settings_below(folder))
    cloud_of_the_session.faults.clear()
    summary = Runner(cloud_of_the_session)(archive, "scheduled__first")
    assert not summary.failed, summary.problems
    archive.catalog.close()
    return folder


@pytest.fixture
def archived(archived_once: Path, settings: Settings) -> Iterator[Archive]:
    """An archive that holds the day's recordings, archived by the run ``scheduled__first``."""
    shutil.copytree(archived_once, settings.root.parent, dirs_exist_ok=True)
    opened = open_archive(settings)
    yield opened
    opened.catalog.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one: what it needs must be there."""
    told = yield
    if told.skipped and os.environ.get("CI") and not hasattr(told, "wasxfail"):
        told.outcome, told.longrepr = "failed", f"skipped, which CI does not allow: {told.longrepr}"
    return told


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let the report of a test say which fault it stands for."""
    if mark := item.get_closest_marker("chaos"):
        item.user_properties.append(("chaos", (mark.kwargs["family"], mark.kwargs["fault"])))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what `make chaos` is for: pass or fail for every fault, by family; one bad test fails its fault."""
    if "chaos" not in terminalreporter.config.option.markexpr:
        return
    card: dict[str, dict[str, str]] = {}
    for category, verdict in (("passed", "pass"), ("skipped", "SKIP"), ("error", "FAIL"), ("failed", "FAIL")):
        for told in terminalreporter.stats.get(category, ()):
            for family, fault in (value for name, value in told.user_properties if name == "chaos"):
                card.setdefault(family, {})[fault] = verdict
    for family, faults in card.items():
        terminalreporter.section(family)
        for fault, verdict in faults.items():
            terminalreporter.line(f"{verdict}  {fault}", red=verdict == "FAIL", green=verdict == "pass")
    verdicts = [verdict for faults in card.values() for verdict in faults.values()]
    terminalreporter.line(f"\n{verdicts.count('pass')} of {len(verdicts)} faults survived")
