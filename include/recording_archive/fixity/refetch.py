"""Fetching the media of one recording from the source once more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recording_archive.errors import ConfigurationError, RunError, StoreError
from recording_archive.model import PartId
from recording_archive.sources import Source
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.transfer import MediaRequest, Transfer


class Origin:
    """A source and its media host, connected when something must be fetched; one that refuses is not asked again.

    `open` and `close` belong to one thread, `fetch` to any.
    """

    def __init__(self, connect: Callable[[], tuple[Source, MediaClient]]) -> None:
        self._connect = connect
        self._connected: tuple[Source, MediaClient] | None = None
        self._refusal: RunError = ConfigurationError("the source was not connected to")

    def open(self) -> None:
        """Connect, once; a connection that is not defined is what `fetch` will raise."""
        if self._connected is None:
            try:
                self._connected = self._connect()
            except RunError as error:
                self._refusal = error

    def fetch(self, part: PartId, sha256: str, target: Path) -> None:
        """Transfer the media with this SHA-256 to ``target``; raise what a download of it would raise."""
        if self._connected is None:
            raise self._refusal
        source, media = self._connected
        order = MediaRequest(
            name=str(part), url="", target=target, expected_sha256=sha256, renew=lambda: source.renew(part)
        )
        try:
            Transfer(media, order).run()
        except StoreError:  # of the staging area, not of the source
            raise
        except RunError as error:
            self._connected, self._refusal = None, error
            raise

    def close(self) -> None:
        """Close the connections; call it when nothing is fetched any more."""
        if self._connected is not None:
            self._connected[1].close()
