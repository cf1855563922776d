"""Requests to the web app that several tests make, and a reader of its pages."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, recordings
from recording_archive.web.deps import get_archive

HTML = {"Accept": "text/html"}
BAD = "\"'><img src=x onerror=hacked()><script>hacked()</script>{{7*7}}"
MATTER = {"matter": "M-1", "reason": "letter of counsel"}


def first_row(archive: Archive) -> Row[Any]:
    """A recording that lies in the archive."""
    made_up = recordings.c.interaction_id.like("%-1")
    with archive.catalog.read() as connection:
        return connection.execute(select(recordings).where(~made_up).order_by(recordings.c.key).limit(1)).one()


def make_hold(client: TestClient, **wanted: Any) -> dict[str, Any]:
    """Make a hold over REST; return its document."""
    reply = client.post("api/holds", json={**MATTER, **wanted})
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


class Reader(HTMLParser):
    """Collects what a page links to, and what a strict content security policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.refused: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Every address and every inline thing."""
        for name, value in attrs:
            if name in {"href", "src", "data-media", "data-peaks", "data-download", "data-details"}:
                self.links.append(value or "")
            if name == "style" or name.startswith("on"):
                self.refused.append(f"{tag} {name}={value}")
        if tag == "style" or (tag == "script" and "src" not in dict(attrs)):
            self.refused.append(tag)


def parse(text: str) -> Reader:
    """What a page holds."""
    reader = Reader()
    reader.feed(text)
    return reader


def show(client: TestClient, archive: Archive) -> None:
    """Let the app see the archive at another moment."""
    client.app.dependency_overrides[get_archive] = lambda: archive  # type: ignore[attr-defined]  # it is FastAPI


def page_of(client: TestClient, path: str) -> str:
    """A page's HTML."""
    reply = client.get(f"/{path}", headers=HTML)
    assert reply.status_code == 200, reply.text
    return reply.text


def kinds(archive: Archive) -> list[Any]:
    """Kind, person and detail of each event, in order."""
    with archive.catalog.read() as connection:
        rows = connection.execute(select(events.c.kind, events.c.actor, events.c.detail).order_by(events.c.id))
        return [tuple(row) for row in rows]
