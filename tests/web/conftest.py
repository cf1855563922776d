"""The app in two forms: inside Airflow's own web application with real logins (`site`), and alone (`app_client`)."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from recording_archive.archive import Archive, open_archive
from recording_archive.settings import Settings
from support.live_app import app_for
from support.site import Site, add_large, add_states, start_site

# Importing the app imports Airflow, which makes a home where there is none.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start an Airflow are not for `make test-fast`."""
    for item in items:
        if isinstance(item, pytest.Function) and {"site", "sites"} & set(item.fixturenames):
            item.add_marker("airflow")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, archived_once: Path) -> Iterator[Archive]:
    """The archive of all sites: the day's recordings, and one made up for each other state."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(archived_once, folder, dirs_exist_ok=True)
    archive = open_archive(
        Settings(url=str(folder / "archive"), catalog_url=f"sqlite:///{folder / 'catalog.db'}", staging_url=str(folder))
    )
    add_states(archive)
    add_large(archive)
    yield archive
    archive.catalog.close()


@pytest.fixture(scope="session")
def sites(served: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Site]]:
    """``sites("simple")`` and ``sites("fab")``, each started once, when it is asked for."""
    running: dict[str, Site] = {}
    with ExitStack() as stack:

        def site_of(manager: str) -> Site:
            if manager not in running:
                home = tmp_path_factory.mktemp(manager)
                running[manager] = stack.enter_context(start_site(manager, served, home))
            return running[manager]

        yield site_of


@pytest.fixture(scope="session")
def site(sites: Callable[[str], Site]) -> Site:
    """The site under Airflow's simple auth manager."""
    return sites("simple")


@pytest.fixture
def app_client(archived: Archive) -> Iterator[TestClient]:
    """The app alone over the test's own archive, where everyone is ``tester`` and may do all; no Airflow runs."""
    with TestClient(app_for(archived), raise_server_exceptions=False) as client:
        yield client
