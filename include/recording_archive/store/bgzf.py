"""Seekable gzip: the BGZF of SAM and BAM files (SAM specification, section 4.1).

A BGZF file is a chain of gzip members of at most 64 KiB each, whose ``BC`` extra field gives their length, closed by
an empty member as end-of-file marker. ``gunzip`` and ``bgzip`` read it, a range of the media costs one or two members,
and a missing marker shows truncation. Speech is deflated at isal's level 1; media that does not shrink (MP3, Opus) is
stored, which costs 0.05 per cent and makes reading it nearly free. No clock goes into the bytes, but never compare
the stored bytes of two runs: once in some thousand blocks isal finds another match for the same input, even on one
machine. The promise is the hash of the media.

Work moves in runs of about 1 MiB of media, so memory is constant whatever the file's length. isal and hashlib let go
of the GIL, so a thread pool lets one large file use every core.
"""

from __future__ import annotations

import hashlib
import struct
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar, cast

from isal import isal_zlib

from recording_archive.errors import PermanentError
from recording_archive.model import Compressed

if TYPE_CHECKING:
    from _typeshed import SupportsRead

__all__ = [
    "END_MARKER",
    "MEMBER_BYTES",
    "DamagedError",
    "Index",
    "compress",
    "media_range",
    "pack",
    "read_back",
    "whole_members",
]

MEMBER_BYTES = 65_280
"""Media bytes of every member but the last: bgzip's own choice, which fits into 64 KiB even when stored."""

END_MARKER = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty member that must end the file (SAM specification, section 4.1.2)."""

_RUN = 16  # members handled at once, about 1 MiB of media: large enough that Python's share of the time vanishes
_LOOK_AHEAD = 8  # runs under way in a pool: keeps its threads busy at 16 MiB at most
_READ_BYTES = 2**20
_INDEXED_BYTES = 2**20
_LEVEL = 1  # shrinks speech as zlib's 6 does within one per cent, 15 times faster
_LARGEST = 2**16  # a member's media never exceeds this, so a forged member cannot inflate without bound

_HEADER = struct.Struct("<4s6x6sH")  # magic, CM, FLG | MTIME, XFL, OS carry no meaning | XLEN, BC, SLEN | BSIZE
_STORED = struct.Struct("<BHH")  # deflate's stored block: final-block bit, LEN, NLEN (RFC 1951, 3.2.4)
_TRAILER = struct.Struct("<II")  # CRC32, ISIZE
_PREFIX = END_MARKER[:16]  # every member begins like the marker; its length follows
_MAGIC, _EXTRA, _ = _HEADER.unpack_from(END_MARKER)

_InflateError = cast("type[Exception]", isal_zlib.error)  # isal's stubs call this class an instance

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class DamagedError(PermanentError):
    """A stored file is not what was written: the message names the file, the place in it, and what is wrong."""


class _Member(NamedTuple):
    """One gzip member with its place in the stored file."""

    offset: int
    stored: memoryview


def compress(source: SupportsRead[bytes], sink: BinaryIO, *, pool: Executor | None = None) -> int:
    """Write the rest of ``source`` to ``sink`` as BGZF; return how many members hold media (the marker is not one).

    ``sink`` must take all it is given, as buffered files do. ``pool`` is a thread pool that shares the work on a large
    file; it must not be the one this call itself runs in, which would wait for itself. Errors of either file pass.
    """
    members = 0
    for packed, count in _in_order(pack, _media_runs(source), pool):
        sink.write(packed)
        members += count
    sink.write(END_MARKER)
    return members


def read_back(source: SupportsRead[bytes], name: str = "object", *, pool: Executor | None = None) -> Compressed:
    """Read a finished file once from where ``source`` stands to its end; check every byte that carries meaning.

    Returns the hashes and sizes of what was stored and of the media in it. Raises DamagedError with ``name``, the
    offset and the reason when a header, length, checksum or the end marker is wrong, or anything follows the marker.
    A change to the few header bytes without meaning (time, system) shows in ``stored_sha256`` alone. Files that
    bgzip made are read too. About ``pool`` see compress.
    """
    stored, media = _Tally(), _Tally()
    members = 0
    runs = _member_runs(source, name, tally=stored)
    for blocks in _in_order(lambda run: [_media(member, name) for member in run], runs, pool):
        for block in blocks:
            media.add(block)
        members += len(blocks)
    return Compressed(media.sha256.hexdigest(), media.size_bytes, stored.sha256.hexdigest(), stored.size_bytes, members)


def whole_members(source: SupportsRead[bytes], name: str = "object") -> Iterator[tuple[int, bytes | memoryview]]:
    """Yield, for each whole member of a file that was cut off, the offset of its end and the media in it.

    The end marker, and a member that the cut went through, are left out. Raises DamagedError when more is wrong.
    """
    for member in _members(source, name, cut_off=True):
        yield member.offset + len(member.stored), _media(member, name)


class Index:
    """Places at which members of one file begin, as far as they were met: one for each MiB or so of media.

    With it a second seek takes 16 hops at most, wherever it goes. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._offsets, self._positions = [0], [0]
        self._noting = threading.Lock()

    def before(self, position: int) -> tuple[int, int]:
        """Offset and media position of the last known member that does not begin behind ``position``."""
        number = bisect_right(self._positions, position, hi=len(self._offsets)) - 1
        return self._offsets[number], self._positions[number]

    def note(self, offset: int, position: int) -> None:
        """Remember a member that is far enough behind the last one known."""
        if position < self._positions[-1] + _INDEXED_BYTES:
            return
        with self._noting:
            if position >= self._positions[-1] + _INDEXED_BYTES:  # another thread was not faster
                self._positions.append(position)
                self._offsets.append(offset)


def media_range(
    source: BinaryIO, start: int, end: int, *, name: str = "object", index: Index | None = None
) -> Iterator[bytes]:
    """Yield the media bytes ``[start, end)``, inflating only the members that hold them; ``source`` must seek.

    A range beyond the end of the media yields what there is. The first member is found by hopping from header to
    header, a small read for each: 500 MB take 8,000 hops, or 16 at most where ``index``, which learns on the way, was
    there before. Raises DamagedError when a member it meets is damaged.
    """
    if not 0 <= start < end:
        return
    offset, position = _find(source, start, name, index or Index())
    source.seek(offset)
    for member in _members(source, name, offset=offset, read_bytes=_LARGEST):
        block = _media(member, name)
        if wanted := bytes(block[max(start - position, 0) : end - position]):
            yield wanted
        position += len(block)
        if position >= end:
            return


class _Tally:
    """Counts and hashes bytes as they pass."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.size_bytes = 0

    def add(self, piece: bytes | memoryview) -> None:
        self.sha256.update(piece)
        self.size_bytes += len(piece)


def _media_runs(source: SupportsRead[bytes]) -> Iterator[bytes]:
    """Cut the media into runs of whole members: short reads of pipes must not move the cuts."""
    size = _RUN * MEMBER_BYTES
    while run := source.read(size):
        while len(run) < size and (more := source.read(size - len(run))):
            run += more
        yield run


def pack(run: bytes | memoryview, *, deflates: bool = True) -> tuple[bytes, int]:
    """Turn one run of media into members, and count them; without ``deflates`` all of it is stored.

    The first block that shrinks by less than 1/32 ends deflating for its run: 8 kHz speech shrinks by at least 15 per
    cent per block, MP3 by at most 2. Each run tries anew, so a compressible tail after an incompressible start loses
    no more than its first MiB, and runs need to know nothing of each other.
    """
    view = memoryview(run)
    shrinks = deflates
    pieces: list[bytes | memoryview] = []
    for start in range(0, len(view), MEMBER_BYTES):
        block = view[start : start + MEMBER_BYTES]
        payload = isal_zlib.compress(block, _LEVEL, -15) if shrinks else b""
        shrinks = shrinks and len(payload) * 32 <= len(block) * 31
        body = (payload,) if shrinks else (_STORED.pack(1, len(block), len(block) ^ 0xFFFF), block)
        length = _HEADER.size + sum(map(len, body)) + _TRAILER.size
        trailer = _TRAILER.pack(isal_zlib.crc32(block), len(block))
        pieces += (_PREFIX, (length - 1).to_bytes(2, "little"), *body, trailer)
    return b"".join(pieces), -(-len(view) // MEMBER_BYTES)


def _member_runs(source: SupportsRead[bytes], name: str, *, tally: _Tally | None = None) -> Iterator[list[_Member]]:
    """Group members so that one step in a pool is worth its dispatch and holds at most 1 MiB of media."""
    members = _members(source, name, tally=tally)
    while run := list(islice(members, _RUN)):
        yield run


def _members(
    source: SupportsRead[bytes],
    name: str,
    *,
    offset: int = 0,
    read_bytes: int = _READ_BYTES,
    tally: _Tally | None = None,
    cut_off: bool = False,
) -> Iterator[_Member]:
    """Cut a stored file, read from ``offset`` on, into its members; the end marker must be there, and be the last.

    A file that is ``cut_off`` may end anywhere.
    """
    rest = memoryview(b"")
    ended = False
    while chunk := source.read(read_bytes):
        if tally:
            tally.add(chunk)
        for piece in filter(None, _joined(rest, memoryview(chunk), offset, name)):
            rest = piece
            while not ended and len(rest) >= _HEADER.size and len(rest) >= (length := _length(rest, offset, name)):
                member, rest = _Member(offset, rest[:length]), rest[length:]
                offset += length
                ended = member.stored == END_MARKER
                if not ended:
                    yield member
            if ended and rest:
                raise _damaged(name, offset, "bytes follow the end marker")
    if not ended and not cut_off:
        raise _damaged(name, offset, "the file ends inside a member" if rest else "the end marker is missing")


def _joined(rest: memoryview, chunk: memoryview, offset: int, name: str) -> tuple[memoryview, memoryview]:
    """Give the member that ``rest`` begins and ``chunk`` goes on with, and what follows, of which nothing is copied.

    A chunk that is too short to end it is joined as a whole.
    """
    if not rest:
        return rest, chunk
    joint = memoryview(b"".join((rest, chunk[:_LARGEST])))
    if len(joint) < _HEADER.size or len(joint) < (length := _length(joint, offset, name)):
        return joint, chunk[:0]
    return joint[:length], chunk[length - len(rest) :]


def _length(stored: memoryview, offset: int, name: str) -> int:
    """The length in bytes of the member whose header ``stored`` begins with."""
    magic, extra, length_less_one = _HEADER.unpack_from(stored)
    if magic != _MAGIC or extra != _EXTRA or length_less_one + 1 < len(END_MARKER):
        raise _damaged(name, offset, "no BGZF member begins here")
    return int(length_less_one) + 1


def _media(member: _Member, name: str) -> bytes | memoryview:
    """The media of one member, after its length and CRC32 were found right."""
    crc32, size = _TRAILER.unpack_from(member.stored, len(member.stored) - _TRAILER.size)
    try:
        block = _inflate(member.stored[_HEADER.size : -_TRAILER.size])
    except _InflateError as error:
        raise _damaged(name, member.offset, f"cannot be inflated ({error})") from error
    if block is None or not len(block) == size <= _LARGEST:
        raise _damaged(name, member.offset, f"does not hold the {size} bytes it declares")
    if isal_zlib.crc32(block) != crc32:
        raise _damaged(name, member.offset, "CRC32 is wrong")
    return block


def _inflate(deflated: memoryview) -> bytes | memoryview | None:
    """Inflate one complete deflate stream; None when it has no end, bytes behind its end, or more than a member may."""
    if len(deflated) >= _STORED.size:
        final, size, complement = _STORED.unpack_from(deflated)
        if final == 1 and size == complement ^ 0xFFFF and size == len(deflated) - _STORED.size:
            return deflated[_STORED.size :]
    inflater = isal_zlib.decompressobj(-15)
    block: bytes = inflater.decompress(deflated, _LARGEST + 1)
    return block if inflater.eof and not inflater.unused_data else None


def _find(source: BinaryIO, start: int, name: str, index: Index) -> tuple[int, int]:
    """Find the member that holds media byte ``start``: its offset in the file and its first byte's position.

    A member's ISIZE and the next one's header are neighbours, so one short read answers for both, and members of
    other tools, whose sizes differ from ours, need no special case.
    """
    offset, position = index.before(start)
    source.seek(offset)
    header = source.read(_HEADER.size)
    while len(header) == _HEADER.size:
        length = _length(memoryview(header), offset, name)
        source.seek(offset + length - _TRAILER.size)
        joint = source.read(_TRAILER.size + _HEADER.size)
        if len(joint) < _TRAILER.size:
            raise _damaged(name, offset, "the file ends inside a member")
        _, size = _TRAILER.unpack_from(joint)
        header = joint[_TRAILER.size :]
        if position + size > start or len(header) < _HEADER.size:  # the last member is where reading must begin, too
            break
        offset, position = offset + length, position + size
        index.note(offset, position)
    return offset, position


def _in_order(work: Callable[[_In], _Out], items: Iterable[_In], pool: Executor | None) -> Iterator[_Out]:
    """``map`` in the order of ``items``, in ``pool`` when there is one, a bounded number ahead of the consumer."""
    if pool is None:
        yield from map(work, items)
        return
    waiting: deque[Future[_Out]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _LOOK_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _damaged(name: str, offset: int, reason: str) -> DamagedError:
    return DamagedError(f"{name}: damaged at byte {offset}: {reason}; restore it from a copy or the source")
