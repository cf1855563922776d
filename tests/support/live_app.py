"""The web app alone behind a real HTTP server in this process; everyone may do all, and ``X-User`` says who asks."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Request

from genesys_sandbox.airflow import free_port
from recording_archive.archive import Archive

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))


def app_for(archive: Archive) -> FastAPI:
    """Return the app alone over ``archive``, where everyone may do all: ``tester``, or who the header X-User names."""
    from recording_archive.web import access  # noqa: PLC0415 - after AIRFLOW_HOME was set
    from recording_archive.web.app import create_app  # noqa: PLC0415
    from recording_archive.web.deps import get_archive  # noqa: PLC0415

    class User:
        def __init__(self, name: str) -> None:
            self.name = name

        def get_name(self) -> str:
            return self.name

    def pass_everyone(request: Request) -> None:
        request.state.archive_user = User(request.headers.get("X-User", "tester"))

    app = create_app()
    app.dependency_overrides = {
        access.guard: pass_everyone,
        access.decide: lambda: None,
        access.may_decide: lambda: True,
        get_archive: lambda: archive,
    }
    return app


@contextmanager
def serve(archive: Archive) -> Iterator[str]:
    """Serve ``archive`` until the context ends; yield the address below which its routes lie, with a slash."""
    app = app_for(archive)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.force_exit = server.should_exit = True
        thread.join()
