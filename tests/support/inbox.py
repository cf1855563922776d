"""A web service that keeps what is posted to it, as a chat or a pager would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Inbox(ThreadingHTTPServer):
    """The texts of the JSON documents that were posted, in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.texts = list[str]()

    @property
    def url(self) -> str:
        """The address to post to."""
        return f"http://127.0.0.1:{self.server_port}"

    def about(self, *words: str) -> str | None:
        """The first text that has all of these words."""
        return next((text for text in self.texts if all(word in text for word in words)), None)


class _Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        """Keep the text, and say so."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.texts.append(json.loads(body)["text"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def serving() -> Iterator[Inbox]:
    """Serve an inbox meanwhile."""
    with Inbox() as inbox:
        Thread(target=inbox.serve_forever, daemon=True).start()
        yield inbox
        inbox.shutdown()
