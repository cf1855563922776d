"""The machine that figures come from: its processor, and how fast one core does each part of the work."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

from isal import isal_zlib

from genesys_sandbox.media import wav

_PIECE_BYTES = 2**20
_LEAST_S = 0.2


def described() -> str:
    """The processor's name, the cores that may be used, and the speed of each part in MB/s of media on one core."""
    media = b"".join(wav("machine", _PIECE_BYTES))
    deflated = isal_zlib.compress(media, 1, -15)
    parts: dict[str, Callable[[], object]] = {
        "SHA-256": lambda: hashlib.sha256(media),
        "deflate": lambda: isal_zlib.compress(media, 1, -15),
        "inflate": lambda: isal_zlib.decompress(deflated, -15),
    }
    speeds = ", ".join(f"{name} {len(media) / 1e6 * _a_second(part):.0f} MB/s" for name, part in parts.items())
    return (
        f"{processor()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}; one core: {speeds}"
    )


def processor() -> str:
    """The name that the processor gives itself, with its flag for SHA-256 in hardware."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    has_sha = re.search(r"^(?:flags|Features)\s*:.*\bsha(?:_ni|2)\b", text, re.MULTILINE)
    return (name[1] if name else platform.processor() or platform.machine()) + (" (SHA-NI)" if has_sha else "")


def _a_second(work: Callable[[], object]) -> float:
    """How often a second of CPU time is enough for ``work``: others on the machine cost nothing."""
    count, begun = 0, time.thread_time()
    while (spent := time.thread_time() - begun) < _LEAST_S:
        work()
        count += 1
    return count / spent
