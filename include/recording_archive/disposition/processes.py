"""Work for several processor cores: a few processes of this Python, each with items of its own, results in order.

They are not forked, because a process that has threads and database connections cannot be, and `multiprocessing` does
not start them: it would import the program that runs here once more, which in a task of Airflow is Airflow itself,
without its database. One process ends with the other: without its end of the connection there is nothing to wait for.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import cycle
from multiprocessing.connection import Connection, Pipe
from typing import Any, TypeVar

from recording_archive.errors import ArchiveError, TransientError

MOST = 4  # processes: each has its own copy of what it works with
YOUNG = 1  # generations of garbage: what was made since the last collection, and not all that 100,000 holds need
_AHEAD = 2  # items that each process is given before its results are read

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Count the processor cores that this process may use, up to `MOST`."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST, mine)


def in_order(make: Callable[[], Callable[[T], R]], items: Iterable[T], count: int) -> Iterator[R]:
    """Yield the result for each item, in the order of the items, from ``count`` processes side by side.

    Each process calls ``make`` once, and what it returns for every item that it is given. All of these are pickled, and
    an item is small. No more than two results a process wait to be read. The first error in a process is raised here;
    TransientError says that a process ended, such as for want of memory. No process is left behind.
    """
    with ExitStack() as stack:
        workers = list[_Worker]()
        for _ in range(count):
            workers.append(_Worker(make))
            stack.callback(workers[-1].end)
        waiting = deque[_Worker]()
        for worker, item in zip(cycle(workers), items, strict=False):
            if len(waiting) == _AHEAD * count:
                yield waiting.popleft().receive()
            worker.give(item)
            waiting.append(worker)
        while waiting:
            yield waiting.popleft().receive()


class _Worker:
    """A process that works, seen from the one that started it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-P", "-m", __name__, str(theirs.fileno())]
            path = os.pathsep.join(filter(None, sys.path))  # what is imported here is found there
            self._process = subprocess.Popen(  # noqa: S603 - this Python, this module
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path}
            )
        self.give(make)

    def give(self, item: object) -> None:
        """Hand over an item, or first of all what makes results; of a process that has ended `receive` will tell."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(item)

    def receive(self) -> Any:
        """Wait for the next result; raise the error that came instead."""
        try:
            good, result = self._connection.recv()
        except (EOFError, ConnectionResetError):
            code = self._process.wait()
            raise TransientError(
                f"A process that judges recordings ended with {code} and no result: was it killed for want of memory?"
            ) from None
        if not good:
            raise result
        return result

    def end(self) -> None:
        """End the process, whatever it does: its results are not wanted any more."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


def _serve(connection: Connection) -> None:
    """Make results of items until the other side goes away, or something fails."""
    work: Callable[[Any], Any] | None = None
    gc.disable()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            given = connection.recv_bytes()
            try:
                item = pickle.loads(given)  # noqa: S301 - from the process that started this one
                if work is None:
                    work = item()
                else:
                    connection.send((True, work(item)))
                    gc.collect(YOUNG)
            except Exception as error:  # raised on the other side
                connection.send((False, _portable(error)))
                return


def _portable(error: Exception) -> Exception:
    """Return an error that arrives on the other side: itself, or its text where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    except Exception:
        return ArchiveError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both: the one that is asked ends the other
    _serve(Connection(int(sys.argv[1])))
