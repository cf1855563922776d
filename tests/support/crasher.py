"""A process that archives and comes to harm on demand: it is killed, its disk fills up, its power is cut.

Run as a script it reads one order per line, ``{"start": case}`` or ``{"wait": pid}``, and answers each with one line.
Every case runs in a fork of this process, which has imported everything and has no second thread: so a case costs what
its run costs, and its memory is that of its run. `Crasher` is the other end, for tests.

Harm strikes at the n-th *effect*: a system call that changes the disk or makes a change durable, or a commit.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Engine, event, update

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.discover import discover
from recording_archive.archiving.report import report
from recording_archive.catalog.tables import work
from recording_archive.model import Attributes, Listing, Outcome, PartId, Window
from recording_archive.settings import PREFIX, Settings, read_settings
from recording_archive.sources import NOTHING_KNOWN, Probe
from support.platform_run import PlatformTasks
from support.power_cut import Disk
from support.whole_run import DAY, LIMITS, SCHEDULED, Tasks

EFFECTS = ("open", "write", "ftruncate", "fchmod", "fsync", "link", "rename", "replace", "unlink", "mkdir", "rmdir")
PATIENT = replace(LIMITS, max_media_bytes=2**30, read_timeout_s=30)
CONNECTION = "AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT"


@dataclass(frozen=True)
class Ended:
    """End of a case: the ``signal`` that killed it (0: none), and its own account if it lived to give one.

    ``raised`` are the errors its tasks met, as class and message; ``losses`` what a power cut would have taken though
    it was promised; ``peak_kib`` the most memory it ever had.
    """

    signal: int
    effects: int = 0
    raised: Sequence[Sequence[str]] = ()
    losses: Sequence[str] = ()
    peak_kib: int = 0


class Crasher:
    """Starts the process, and cases in it.

    A case names its ``steps``: ``run``, or some of ``query``, ``download``, ``gzip`` and ``report``; the same of the
    DAG's own functions with ``hooks.`` before them; ``list``, which lists and reports ``count`` recordings; or
    ``module:function``, which is called with settings and case. ``harm`` says what strikes at which effect: ``kind``,
    ``at`` (from 1), ``when`` (before, after), ``only`` (names of effects that count); kinds are kill, freeze, fail
    (EIO), fill (takes the space of ``ballast``'s volume) and cut (kills, and leaves in ``folder`` what is durable).
    ``durable`` names the folder whose promises are watched, ``ignore`` a pattern of paths whose fsync does nothing;
    ``api`` is the source, the interactions' when it is left out.
    """

    def __init__(self, *modules: str, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.crasher", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **(env or {})},
        )

    def __call__(self, cloud: Sandbox, settings: Settings, **case: Any) -> Ended:
        """Run a case to its end."""
        return self.wait(self.start(cloud, settings, **case))

    def start(self, cloud: Sandbox, settings: Settings, **case: Any) -> int:
        """Begin a case; return its process id."""
        names = ("login_base", "api_base", "media_host", "client_id", "client_secret")
        known = {"cloud": {name: getattr(cloud, name) for name in names}, "settings": settings.model_dump(mode="json")}
        return int(self._ask({"start": known | case}))

    def wait(self, pid: int) -> Ended:
        """Wait for the end of a case."""
        return Ended(**self._ask({"wait": pid}))

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)

    def _ask(self, order: Mapping[str, Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


class Effects:
    """Counts the effects of this process one at a time, does harm at one of them, and shows each to a ``disk``."""

    def __init__(self, harm: Mapping[str, Any], disk: Disk | None) -> None:
        self.count = 0
        self._harm, self._disk = harm, disk
        self._lock = threading.RLock()

    def install(self) -> None:
        """Watch this process from now on."""
        for name in EFFECTS:
            setattr(os, name, self._watched(name, getattr(os, name)))
        watched = self._watched

        class Watched(sqlite3.Connection):
            def commit(self) -> None:
                full = self.execute("PRAGMA synchronous").fetchone() == (2,)
                watched("commit" if full else "commit that a power cut may take back", super().commit)()

        @event.listens_for(Engine, "do_connect")
        def _connect(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
            parameters["factory"] = Watched

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def effect(*arguments: Any, **named: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return call(*arguments, **named)
            with self._lock:
                strikes = self._counts(name)
                if strikes and self._harm["when"] == "before":
                    self._strike()
                try:
                    return call(*arguments, **named)
                finally:  # a call that is refused is an effect too
                    if self._disk:
                        self._disk.witness(name, arguments)
                    if strikes and self._harm["when"] == "after":
                        self._strike()

        return effect

    def _counts(self, name: str) -> bool:
        if name not in self._harm.get("only", [name]):
            return False
        self.count += 1
        return bool(self.count == self._harm.get("at"))

    def _strike(self) -> None:
        match self._harm["kind"]:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "cut" if self._disk:
                self._disk.rebuild(Path(self._harm["folder"]))
                os.kill(os.getpid(), signal.SIGKILL)
            case "fill":
                fill(Path(self._harm["ballast"]))
            case "fail":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            case "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)


def fill(ballast: Path) -> None:
    """Take all the space that is left."""
    with ballast.open("ab", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017  # not what a test expects, but what ends the loop


class Lines:
    """A source that makes up what it lists while it is asked."""

    name, organization, chunk, requests = "interactions:default", "default", 50, 0

    def __init__(self, count: int) -> None:
        self._count = count

    def discover(self, *, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:  # noqa: ARG002  # the Protocol's
        for number in range(self._count):
            part = PartId(f"interaction-{number}", f"recording-{number}")
            attributes = Attributes(agent_name="Agent", ani="tel:+12025550100", duration_ms=60_000)
            yield Listing(part, DAY.start + timedelta(seconds=number), None, f"{number:064x}", attributes)

    def resolve(
        self,
        parts: Sequence[PartId],
        *,
        thrifty: bool = False,
        known: Collection[PartId] = (),
        began: Mapping[str, datetime] = NOTHING_KNOWN,
    ) -> Iterator[Listing]:
        raise NotImplementedError

    def renew(self, part: PartId) -> str:
        raise NotImplementedError

    def probe(self) -> Probe:
        raise NotImplementedError


def list_and_report(archive: Archive, run_id: str, count: int) -> None:
    """Do the work of the first and the last task for ``count`` recordings, as if the tasks between had succeeded."""
    discover(archive, Lines(count), SCHEDULED, run_id)
    with archive.catalog.write() as connection:
        connection.execute(update(work).values(outcome=Outcome.SUCCESS, key="recordings/a", stored_sha256="0" * 64))
    assert report(archive, run_id).counts["successful"] == count


def perform(case: Mapping[str, Any], tell: dict[str, Any]) -> None:
    """Do what a case says; errors are told, for they are what the test is about."""
    settings = Settings(**case["settings"])
    harm = case.get("harm", {})
    disk = Disk(Path(case["durable"]), settings, ignore=case.get("ignore")) if "durable" in case else None
    effects = Effects(harm, disk)
    if disk or "harm" in case:
        effects.install()
    while time.time() < case.get("start_at", 0):
        pass
    for step in case["steps"]:
        try:
            tell["raised"] += take(step, case, settings)
        except Exception as error:
            traceback.print_exc()
            tell["raised"].append((type(error).__name__, str(error)))
    tell |= {"effects": effects.count, "losses": disk.losses if disk else []}


def take(step: str, case: Mapping[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """Take one step, return what its tasks raised and retried."""
    run_id = case["run_id"]
    if ":" in step:
        module, _, name = step.partition(":")
        getattr(import_module(module), name)(settings, case)
        return []
    if step.startswith("hooks."):
        take_hook(step, run_id, case["cloud"], settings, case.get("api", "interactions"))
        return []
    archive = open_archive(settings)
    kind = PlatformTasks if case.get("api") == "conversations" else Tasks
    tasks = kind(cast(Sandbox, SimpleNamespace(**case["cloud"])), PATIENT)
    match step:
        case "run":
            return [(type(error).__name__, str(error)) for error in tasks(archive, run_id).raised]
        case "query":
            tasks.query(archive, run_id)
        case "download":
            tasks.download(archive, run_id, 1)
        case "gzip":
            tasks.gzip(archive, run_id, 1)
        case "report":
            tasks.report(archive, run_id)
        case "list":
            list_and_report(archive, run_id, case["count"])
    archive.catalog.close()
    return []


def take_hook(step: str, run_id: str, cloud: Mapping[str, str], settings: Settings, api: str) -> None:
    """Call what the DAG calls, with settings and connection in the environment."""
    from recording_archive import hooks  # noqa: PLC0415  # Airflow costs seconds that most cases need not pay

    bases = {name: cloud[name] for name in ("login_base", "api_base")}
    extra = {"api": api, "media_hosts": [cloud["media_host"]], "allow_private_hosts": True, **bases}
    named = {"conn_type": "genesys_cloud", "login": cloud["client_id"], "password": cloud["client_secret"]}
    os.environ[CONNECTION] = json.dumps({**named, "host": "us-east-1", "extra": extra})
    told = settings.model_dump(mode="json", exclude_none=True)
    os.environ |= {f"{PREFIX}{name.upper()}": str(value) for name, value in told.items()}
    read_settings.cache_clear()
    match step.removeprefix("hooks."):
        case "query":
            hooks.list_recordings(run_id=run_id, conf={}, interval=(DAY.start, DAY.end), scheduled=True)
        case "download":
            hooks.download_batch(run_id, 1)
        case "gzip":
            hooks.gzip_batch(run_id, 1)
        case "report":
            hooks.write_report(run_id)


def main() -> None:
    """Serve orders until there are no more."""
    for module in sys.argv[1:]:
        import_module(module)
    pipes: dict[int, int] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            pid, pipes[pid] = start(order["start"])
            answer: Any = pid
        else:
            answer = wait(order["wait"], pipes.pop(order["wait"]))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def start(case: Mapping[str, Any]) -> tuple[int, int]:
    """Fork a case; return its process id, and where it will tell how it ended."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        return pid, told
    os.dup2(2, 1)  # standard output belongs to the orders
    how: dict[str, Any] = {"raised": []}
    perform(case, how)
    how["peak_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with os.fdopen(tell, "w") as pipe:
        json.dump(how, pipe)
    os._exit(0)


def wait(pid: int, told: int) -> dict[str, Any]:
    """Wait for a case; what it told, and what killed it."""
    with os.fdopen(told) as pipe:
        content = pipe.read()
    status = os.waitpid(pid, 0)[1]
    return {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, **json.loads(content or "{}")}


if __name__ == "__main__":
    main()
