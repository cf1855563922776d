"""A real HTTP server that plays the interactions query from scripted pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from recording_archive.model import Listing, Window
from recording_archive.sources import Source

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


DAY = Window(datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC))


QUERY_PATH = "/api/v2/recording/interactions/query"


SHA256 = "ab" * 32


Reply = tuple[int, Any]


class QueryServer(ThreadingHTTPServer):
    """Gives a token, then whatever ``reply`` says to (path, body); keeps the bodies of the queries."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.queries: list[dict[str, Any]] = []
        self.reply: Callable[[str, dict[str, Any]], Reply] = lambda _path, _body: (404, None)

    def play(self, *pages: Any) -> None:
        """Answer the n-th query with the n-th page, and the last one for ever."""
        self.queries.clear()
        self.reply = lambda _path, _body: (200, pages[min(len(self.queries), len(pages)) - 1])


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: QueryServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer as the test says."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status: int
        if self.path.endswith("/token"):
            status, reply = 200, {"access_token": "canary-token", "token_type": "bearer", "expires_in": 3600}
        else:
            asked = json.loads(body) if body else {}
            self.server.queries.append(asked)
            status, reply = self.server.reply(self.path, asked)
        content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - named by http.server


def entry(name: Any = "i1", **fields: Any) -> dict[str, Any]:
    """One result; a field given as ``...`` is left out."""
    whole = {
        "id": name,
        "interactionDate": "2026-11-21T10:00:00Z",
        "mediaUrl": f"https://media.example.com/{name}?sig=canary-sig",
        "checksum": SHA256,
        **fields,
    }
    return {key: value for key, value in whole.items() if value is not ...}


def page(*names: str, token: Any = None) -> dict[str, Any]:
    """A page of sound results."""
    return {"results": [entry(name) for name in names], "nextPageToken": token}


def one(server: QueryServer, source: Source, **fields: Any) -> Listing:
    """Listing of a result with these fields."""
    server.play({"results": [entry(**fields)], "nextPageToken": None})
    (listing,) = source.discover(ids=[], window=DAY)
    return listing


def ids_of(listings: Iterator[Listing]) -> list[str]:
    """Interaction ids, in order."""
    return [listing.part_id.interaction_id for listing in listings]
