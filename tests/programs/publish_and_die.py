"""Publish an object, and die by SIGKILL after the given number of system calls: ROOT STEPS."""

import os
import signal
import sys
from pathlib import Path

from recording_archive.store.local import LocalStore

steps_left = int(sys.argv[2])


def die_in_time(event: str, _: tuple[object, ...]) -> None:
    """Count system calls down."""
    global steps_left  # noqa: PLW0603 - a hook has no other memory
    if event in {"open", "os.mkdir", "os.chmod", "os.link", "os.remove"}:
        if not steps_left:
            os.kill(os.getpid(), signal.SIGKILL)
        steps_left -= 1


store = LocalStore(Path(sys.argv[1]))
sys.addaudithook(die_in_time)
store.put("d/e/f.json", b"x" * 100_000)
os._exit(0)
