"""The app as the plugin registers it: built at its first request.

Airflow imports plugins in every process, task processes included. They must not pay the seconds that FastAPI and
Airflow's own API modules take to import, so this module imports neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

_Messages = Callable[..., Awaitable[Any]]


class DeferredApp:
    """An ASGI application that is `app.create_app`'s from the first request on."""

    def __init__(self) -> None:
        self._app: Callable[..., Awaitable[None]] | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: _Messages, send: _Messages) -> None:
        if self._app is None:
            self._app = await asyncio.to_thread(_build)
        await self._app(scope, receive, send)


def _build() -> Callable[..., Awaitable[None]]:
    from recording_archive.web.app import create_app  # noqa: PLC0415 - what this module is for

    return create_app()
