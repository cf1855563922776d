"""The pictures of the README: `make demo FULL=1`, `source .demo/env`, `PYTHONPATH=tests python docs/screenshots.py`.

Shows Home, a recording and the forecast of the demo's archive, as the app draws them.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import recordings
from recording_archive.model import State
from recording_archive.settings import read_settings
from support.browser import chromium
from support.live_app import serve

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1200, "height": 820}


def main() -> None:
    """Draw each page; the recording is the longest telephone call."""
    archive = open_archive(read_settings())
    pages = {"home": "overview", "recording": f"recordings/{longest(archive)}", "forecast": "retention"}
    with serve(archive) as address, chromium() as browser:
        window = browser.new_context(viewport=SIZE, device_scale_factor=1, locale="en-GB", timezone_id="UTC").new_page()
        for name, path in pages.items():
            window.goto(f"{address}{path}", wait_until="networkidle")
            window.screenshot(path=IMAGES / f"{name}.png")
    archive.catalog.close()


def longest(archive: Archive) -> str:
    """Find the longest archived call with audio; return its interaction and recording as they stand in addresses."""
    found = select(recordings).where(recordings.c.state == State.ARCHIVED, recordings.c.mime_type.like("audio/%"))
    with archive.catalog.read() as connection:
        row = connection.execute(found.order_by(recordings.c.duration_ms.desc().nulls_last()).limit(1)).one()
    return f"{row.interaction_id}/{row.recording_id}"


if __name__ == "__main__":
    main()
