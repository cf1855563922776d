"""The frame of every task: the opened archive, a stop on SIGTERM, and the totals in its log."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from recording_archive.archive import Archive, open_archive
from recording_archive.errors import PermanentError, Stopped, TransientError
from recording_archive.settings import Settings
from recording_archive.tasks.airflow_versions import final
from recording_archive.tasks.expected import hide_tracebacks

log = logging.getLogger(__name__)


@contextmanager
def task_archive(settings: Settings) -> Iterator[Archive]:
    """Open the archive for one task, found it if need be, and close its catalog at the end."""
    hide_tracebacks()
    with final(PermanentError):
        archive = open_archive(settings)
        try:
            yield archive
        finally:
            archive.catalog.close()


@contextmanager
def stoppable() -> Iterator[tuple[threading.Event, Callable[[Callable[[], None]], None]]]:
    """Turn SIGTERM into an event: Airflow kills a task 5 s after it, and runs no `finally` of its own.

    Yields the event, and a function that registers a call to make when the signal arrives.
    """
    stop, calls = threading.Event(), list[Callable[[], None]]()

    def on_signal(*_: object) -> None:
        stop.set()
        for call in calls:
            call()

    previous = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield stop, calls.append
    finally:
        signal.signal(signal.SIGTERM, previous)


def stoppable_sleep(stop: threading.Event) -> Callable[[float], None]:
    """Make a sleep that raises Stopped as soon as ``stop`` is set."""

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped("stopped while waiting for the API")

    return sleep


def raise_if_stopped(stop: threading.Event) -> None:
    """Raise TransientError after a stop, so that Airflow starts the task again."""
    if stop.is_set():
        raise TransientError("stopped by a signal; what was finished is kept, the rest is left for the next attempt")


def log_totals(counts: Mapping[str, int], report_key: str, ledger_head: str | None) -> None:
    """Log the totals of a run, where its report is, and the head of the ledger."""
    for name, count in counts.items():
        size = f" ({count / 1e6:,.1f} MB)" if name.startswith("bytes") else ""
        log.info("%s: %s%s", name, count, size)
    log.info("report: %s", report_key)
    log.info("ledger head: %s", ledger_head)
