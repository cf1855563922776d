"""The sandbox as a whole: two listeners on one state, started in this process or served until a signal."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genesys_sandbox.access import SignedUrls, Tokens
from genesys_sandbox.cloud import Cloud
from genesys_sandbox.faults.due import Faults
from genesys_sandbox.hosts.api import ApiExchange
from genesys_sandbox.hosts.media import MediaExchange
from genesys_sandbox.hosts.wire import Listener
from genesys_sandbox.recorder import Recorder
from genesys_sandbox.recordings.library import Library
from genesys_sandbox.recordings.make import Progress, open_library
from genesys_sandbox.recordings.world import World, make_world
from genesys_sandbox.settings.fault import read_faults
from genesys_sandbox.settings.options import SandboxOptions


class Sandbox:
    """A Genesys Cloud stand-in that listens from `start` (or ``with``) to `close`.

    Building it binds both ports and makes the recordings. Raises OSError when a port is taken.
    """

    def __init__(self, options: SandboxOptions | None = None, *, progress: Progress = lambda _: None) -> None:
        self.options = options or SandboxOptions()
        self._undo = ExitStack()
        with ExitStack() as undo:
            folder = self.options.state_dir or Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-")))
            folder.mkdir(parents=True, exist_ok=True)
            self._api = Listener((self.options.host, self.options.port), ApiExchange, self.options.certificate)
            undo.callback(self._api.close)
            address = (self.options.host, self.options.media_port)
            self._media = Listener(address, MediaExchange, self.options.certificate)
            undo.callback(self._media.close)
            library = open_library(self.options, folder, progress)
            world = make_world(self.options, library, folder)
            faults = Faults([each.id for each in world.conversations], seed=self.options.seed)
            faults.add(*read_faults(self.options.faults))
            self._cloud = Cloud(
                options=self.options,
                library=library,
                world=world,
                urls=SignedUrls(self.media_base, self.options.url_life_s, self.options.s3_session_s),
                tokens=Tokens(self.options),
                faults=faults,
            )
            self._undo = undo.pop_all()

    def start(self) -> Self:
        """Answer requests from now on, in threads of this process."""
        self._api.start(self._cloud)
        self._media.start(self._cloud)
        return self

    def close(self) -> None:
        """Stop listening, end open connections and waits, and remove what was temporary."""
        self._cloud.stopping.set()
        self._undo.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def api_base(self) -> str:
        """The base URL of the API."""
        host = "127.0.0.1" if self.options.host == "0.0.0.0" else self.options.host  # noqa: S104  # a comparison
        return f"{self._scheme}://{host}:{self._api.port}"

    @property
    def login_base(self) -> str:
        """The base URL of the login, on the API's port."""
        return self.api_base

    @property
    def _scheme(self) -> str:
        return "https" if self.options.certificate else "http"

    @property
    def media_port(self) -> int:
        """The port on which the media host listens."""
        return self._media.port

    @property
    def media_host(self) -> str:
        """Name and port in media URLs."""
        name = self.options.media_host
        return name if ":" in name else f"{name}:{self._media.port}"

    @property
    def media_base(self) -> str:
        """The base URL of media."""
        return f"{self._scheme}://{self.media_host}"

    @property
    def client_id(self) -> str:
        """The OAuth client id that works."""
        return self.options.client_id

    @property
    def client_secret(self) -> str:
        """The OAuth client secret that works."""
        return self.options.client_secret

    @property
    def library(self) -> Library:
        """The recordings on offer."""
        return self._cloud.library

    @property
    def world(self) -> World:
        """The conversations of the platform API."""
        return self._cloud.world

    @property
    def faults(self) -> Faults:
        """Active faults."""
        return self._cloud.faults

    @property
    def requests(self) -> Recorder:
        """Record of requests."""
        return self._cloud.requests

    def connection(self) -> dict[str, Any]:
        """The Airflow connection that reaches this sandbox, as JSON for ``AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT``.

        The host is a name that never resolves: without the two bases nothing could reach the real service.
        """
        extra = {
            "api": self.options.api,
            "api_base": self.api_base,
            "login_base": self.login_base,
            "media_hosts": [self.media_host],
            "allow_private_hosts": True,
        }
        who = {"login": self.client_id, "password": self.client_secret, "host": "sandbox.invalid"}
        return {"conn_type": "genesys_cloud", **who, "extra": extra}


def serve(options: SandboxOptions) -> None:
    """Run a sandbox until SIGINT or SIGTERM; print where it is and how Airflow connects to it.

    The second line is shell syntax: it can be pasted before ``airflow`` or evaluated. Main thread only.
    """
    ended = threading.Event()
    with Sandbox(options, progress=_show_progress) as sandbox:
        before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            _announce(sandbox)
            ended.wait()
        finally:
            for number, action in before.items():
                signal.signal(number, action)


def _announce(sandbox: Sandbox) -> None:
    megabytes = sum(recording.size_bytes for recording in sandbox.library) / 1e6
    offer = f"{len(sandbox.library)} recordings, {megabytes:.0f} MB"
    sys.stdout.write(f"Sandbox: API {sandbox.api_base}, media {sandbox.media_base}, {offer}\n")
    sys.stdout.write(f"AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT='{json.dumps(sandbox.connection())}'\n")
    sys.stdout.flush()


def _show_progress(text: str) -> None:
    sys.stderr.write(f"Sandbox: {text}\n")
