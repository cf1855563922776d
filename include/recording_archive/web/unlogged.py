"""Keeps what was searched for out of Airflow's access log.

The address of a search is its state, so that it can be shared; it may hold telephone numbers and names. Airflow logs
the query string of every request when it is done, from the request's scope, which this middleware leaves redacted.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Receive, Scope, Send

_LOGGED = frozenset({"interactionId", "recordingId", "part", "id", "run_id", "dag_id", "limit", "sort", "format"})


class SearchesUnlogged:
    """Middleware that replaces all values but ids by asterisks, when the request was answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(dict(scope), receive, send)  # a copy: the request itself never changes
        finally:
            scope["query_string"] = _redacted(scope.get("query_string", b""))


def _redacted(query: bytes) -> bytes:
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return urlencode([(name, value if name in _LOGGED else "***") for name, value in pairs], safe="*").encode()
