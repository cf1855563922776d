"""Several processes: results in order, errors and deaths told, nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from recording_archive.disposition import processes
from recording_archive.disposition.processes import in_order
from recording_archive.errors import ArchiveError, TransientError
from support.workers import failing, slower_first


def test_results_come_in_order_from_several_processes() -> None:
    """Whoever is slower, each result has the place of its item."""
    results = list(in_order(slower_first, range(11), 2))
    assert [item for item, _ in results] == list(range(11))
    assert len({process for _, process in results} - {os.getpid()}) == 2


def test_few_items_are_taken_in_advance() -> None:
    """A million pages never wait in memory."""
    taken = list[int]()

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_order(slower_first, items(), 2)
    assert next(results)[0] == 0
    assert len(taken) <= 6
    results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("how", "kind", "told"),
    [
        ("error", TransientError, "the catalog is away"),
        ("odd", ArchiveError, "UnsendableError: out of order"),
        ("killed", TransientError, "ended with -9"),
        ("at once", ArchiveError, "nothing to begin with"),
    ],
)
def test_what_fails_there_is_raised_here(how: str, kind: type[Exception], told: str) -> None:
    """An error keeps its kind and what it carries; a process that was killed is told of, and never waited for."""
    done = list[int]()
    with pytest.raises(kind, match=told) as raised:
        done.extend(in_order(partial(failing, how), range(9), 2))
    assert getattr(raised.value, "retry_after_s", None) == (7 if how == "error" else None)


def test_no_process_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when all is done, nor when it is given up half way."""
    started = list[int]()
    begin = processes.subprocess.Popen

    def noting(*args: object, **kwargs: object) -> object:
        process = begin(*args, **kwargs)  # type: ignore[call-overload]
        started.append(process.pid)
        return process

    monkeypatch.setattr(processes.subprocess, "Popen", noting)
    list(in_order(slower_first, range(2), 2))
    given_up = in_order(slower_first, range(50), 2)
    next(given_up)
    given_up.close()  # type: ignore[attr-defined]
    assert len(started) == 4
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def test_the_processes_are_few() -> None:
    """One for each core, and never many: each has a copy of all it works with."""
    assert 1 <= processes.cores() <= processes.MOST
