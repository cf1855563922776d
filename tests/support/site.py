"""An Airflow with the plugin, as a process of its own, and clients that are signed in there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import insert, select

from genesys_sandbox.airflow import free_port
from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import recordings
from recording_archive.model import PartId, State
from recording_archive.settings import Settings

ROOT = Path(__file__).parents[2]
SIMPLE_ROLES = ("viewer", "user", "op", "admin")
FAB_ROLES = ("viewer", "user", "op", "admin", "listener", "keeper")
_UNGRANTED = "granted"  # whose role has no permission until a test gives it one
_START_S = 120


class Client(requests.Session):
    """A session whose addresses are relative to ``/archive/``; it follows no redirects."""

    def __init__(self, base: str, *, token: str | None = None, cookie: str | None = None) -> None:
        super().__init__()
        self.base = base
        self.trust_env = False
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        if cookie:
            self.cookies.set("_token", cookie)

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """As requests does it, with ``url`` below the app."""
        kwargs.setdefault("timeout", 30)
        kwargs.setdefault("allow_redirects", False)
        return super().request(method, f"{self.base}{url}", *args, **kwargs)


@dataclass
class Site:
    """An Airflow with the plugin under one auth manager; roles are user names and passwords as well."""

    manager: str
    url: str
    archive: Archive
    routes: list[dict[str, Any]]
    home: Path
    environment: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    def client_for(self, role: str | None, *, cookie: bool = False) -> Client:
        """A client signed in as ``role``, by header or by cookie; None is nobody."""
        if role is None:
            return Client(f"{self.url}/archive/")
        token = self.token(role)
        return Client(f"{self.url}/archive/", **{"cookie" if cookie else "token": token})

    def token(self, role: str) -> str:
        """The token that Airflow gives for a name and password."""
        if role not in self.tokens:
            login = {"username": role, "password": role}
            reply = requests.post(f"{self.url}/auth/token", json=login, timeout=30)
            assert reply.status_code == 201, reply.text
            self.tokens[role] = reply.json()["access_token"]
        return self.tokens[role]


def add_states(archive: Archive) -> None:
    """Enter ``quarantined-1``, ``purged-1``, ``erased-1``, ``discovered-1``, ``twofold-1``; and ``held-1``, on hold."""
    at = datetime(2026, 11, 22, tzinfo=UTC)
    with archive.catalog.write() as connection:
        model = connection.execute(select(recordings).limit(1)).mappings().one()
        for state in (State.QUARANTINED, State.PURGED, State.ERASED, State.DISCOVERED):
            part = PartId(f"{state}-1", f"{state}-1", 0)
            certificate = "C-000017" if state in {State.PURGED, State.ERASED} else None
            facts = {"state": state, "key": f"recordings/{part}.wav.gz", "certificate": certificate}
            facts |= {"quarantined_at": at} if state == State.QUARANTINED else {}
            connection.execute(insert(recordings).values({**model, **part._asdict(), **facts}))
            record(connection, "seen" if state == State.DISCOVERED else state, part, at=at)
        for recording in ("first", "second"):
            part = PartId("twofold-1", recording, 0)
            facts = {"key": f"recordings/{part}.wav.gz"}
            connection.execute(insert(recordings).values({**model, **part._asdict(), **facts}))
        part = PartId("held-1", "held-1", 0)
        facts = {"key": f"recordings/{part}.wav.gz"}
        archive.store.put(facts["key"], archive.store.read(model["key"]))
        connection.execute(insert(recordings).values({**model, **part._asdict(), **facts}))
    holds.create(archive, matter="M-1", reason="asked", criteria=holds.Criteria(("held-1",)), actor="keeper")


def add_large(archive: Archive) -> None:
    """Enter ``large-1``, whose file no socket's buffer swallows; its bytes are no audio."""
    part, content = PartId("large-1", "large-1", 0), os.urandom(2**20) * 32
    key = f"recordings/{part}.wav.gz"
    archive.store.put(key, content)
    facts = {"key": key, "stored_bytes": len(content), "stored_sha256": sha256(content).hexdigest()}
    with archive.catalog.write() as connection:
        model = connection.execute(select(recordings).limit(1)).mappings().one()
        connection.execute(insert(recordings).values({**model, **part._asdict(), **facts}))


@contextmanager
def start_site(manager: str, archive: Archive, home: Path, **environment: str) -> Iterator[Site]:
    """Run `airflow_site` until it answers, and end it afterwards."""
    port = free_port()
    told = {**_environment(manager, home, archive.settings, port), **environment}
    command = [
        sys.executable,
        str(Path(__file__).parents[1] / "programs" / "airflow_site.py"),
        str(port),
        str(home / "routes.json"),
    ]
    log_file = home / "site.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, env=told, cwd=home, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        _await(url, process, log_file)
        yield Site(manager, url, archive, json.loads((home / "routes.json").read_text()), home, told)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(url: str, process: subprocess.Popen[bytes], log_file: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            requests.get(f"{url}/api/v2/version", timeout=5)
        except requests.RequestException:
            ended = process.poll() is not None or time.monotonic() > deadline
            assert not ended, log_file.read_text(errors="replace")[-3000:]
            time.sleep(0.2)
        else:
            return


def _environment(manager: str, home: Path, settings: Settings, port: int) -> dict[str, str]:
    """An Airflow that knows nothing of others on this machine; everyone's password is the user's name."""
    strange = ("AIRFLOW", "RECORDING_ARCHIVE_", "GENESYS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({role: role for role in SIMPLE_ROLES}))
    auth = {
        "simple": {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{role}:{role}" for role in SIMPLE_ROLES),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        },
        "fab": {
            "AIRFLOW__FAB__CACHE_TTL": "1",  # seconds for which permissions are remembered
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "SITE_FAB_USERS": json.dumps({role: role.capitalize() for role in (*FAB_ROLES, _UNGRANTED)}),
        },
    }[manager]
    return {
        **inherited,
        **auth,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-the-tests-alone-" * 4,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=60",
        "PYTHONPATH": str(ROOT / "include"),
        "PYTHONWARNINGS": "ignore",
        "RECORDING_ARCHIVE_URL": settings.url,
        "RECORDING_ARCHIVE_CATALOG_URL": settings.catalog_url,
        "RECORDING_ARCHIVE_STAGING_URL": settings.staging_url,
        "RECORDING_ARCHIVE_MAX_STREAMS": "4",
    }
