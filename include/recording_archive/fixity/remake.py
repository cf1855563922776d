"""An object made anew from the recording's media: from inside the damaged object if possible, else from the source."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from recording_archive.errors import ArchiveError, FixityError, Stopped, StoreError
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.replacement import BeyondRepairError, Job
from recording_archive.model import Compressed
from recording_archive.store import bgzf, staging
from recording_archive.store.base import Draft
from recording_archive.store.stoppable import Stoppable

if TYPE_CHECKING:
    from _typeshed import SupportsRead

    _Media = Callable[[], AbstractContextManager[SupportsRead[bytes]]]

log = logging.getLogger(__name__)

TRIES = 3  # to get the stored bytes of old: once in some thousand blocks deflate finds another match


def remade_object(job: Job, origin: Origin, staged: Path, opened: ExitStack) -> tuple[Draft, Compressed, str]:
    """Make the object anew: a sealed draft, what reading it back found, and where its media came from.

    The draft lives until ``opened`` is closed. Raises BeyondRepairError when neither object nor source gives the media.
    """
    try:
        draft, found = opened.enter_context(_compressed(job, lambda: _media_inside(job)))
    except Stopped:
        raise
    except ArchiveError as error:
        log.info("%s: asking the source, for the object does not give its media: %s", job.part, error)
    else:
        return draft, found, "archive"
    try:
        origin.fetch(job.part, job.row.sha256, staged)
    except (Stopped, StoreError):
        raise
    except ArchiveError as error:
        raise BeyondRepairError(f"the source cannot give it again: {error}") from error
    draft, found = opened.enter_context(_compressed(job, lambda: staging.opened(staged)))
    return draft, found, "source"


@contextmanager
def _compressed(job: Job, media: _Media) -> Iterator[tuple[Draft, Compressed]]:
    """Compress media to a sealed draft of the object; raise FixityError when it is not the recording's media."""
    for tries_left in reversed(range(TRIES)):
        with media() as raw, job.archive.store.begin(job.row.key) as draft:
            bgzf.compress(Stoppable(raw, job.stop), draft.file)
            draft.seal()
            draft.file.seek(0)
            found = bgzf.read_back(Stoppable(draft.file, job.stop), job.row.key)
            if found.sha256 != job.row.sha256:
                raise FixityError(f"media of {job.row.key}", expected=job.row.sha256, found=found.sha256)
            if found.stored_sha256 == job.row.stored_sha256 or not tries_left:
                yield draft, found
                return


@contextmanager
def _media_inside(job: Job) -> Iterator[SupportsRead[bytes]]:
    """Open the media as far as the object still gives it: a wrong header, or a lost end marker, spares all of it."""
    with job.archive.store.open(job.row.key) as file:
        yield _Pieces(bgzf.media_range(file, 0, job.row.size_bytes, name=job.row.key))


class _Pieces:
    """Pieces of bytes to be read as a file; a read may give less than it was asked for, never more."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int = -1, /) -> bytes:
        found = self._rest or next(self._pieces, b"")
        cut = len(found) if size < 0 else size
        self._rest = found[cut:]
        return found[:cut]
