"""``python -m bench.holds``: how long 100,000 legal holds take on a million recordings.

Makes the catalog once (some minutes), with holds of every kind and recordings that lack what holds ask for. Then makes
the plan of a run of `enforce_retention` (a dry one) when all recordings have expired, asks for single recordings, as a
purge does, and counts what new holds match. Exit status 1 when planning takes longer than ``--most-s``.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, func, select

from bench.search import (
    AGENTS,
    CALLERS,
    DAYS,
    FIRST,
    QUEUES,
    agent_name,
    caller,
    fill,
    identity,
    print_size,
    print_times,
)
from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import chunked
from recording_archive.catalog.tables import dispositions, holds, plans, recordings
from recording_archive.disposition.plan import make_plan
from recording_archive.holds import Criteria, Hold, documents, effect, holding
from recording_archive.holds.rows import end, enter
from recording_archive.model import PartId
from recording_archive.settings import Settings
from recording_archive.store.local import LocalStore
from recording_archive.store.locate import staging_at

RUN = "bench"
_CHUNK = 1000
_KEY = [recordings.c[name] for name in ("interaction_date", *PartId._fields)]


def main() -> int:
    """Fill, judge, ask, print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--holds", type=int, default=100_000)
    parser.add_argument("--most-s", type=float, default=60)
    parser.add_argument("--keep", type=Path, help="folder that keeps the catalog for the next time")
    parser.add_argument("--url", help="another catalog's URL, empty or filled by this program before")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (chosen.keep or Path(scratch)).absolute()
        catalog = Catalog(chosen.url or f"sqlite:///{folder / f'holds-{chosen.rows}-{chosen.holds}.db'}")
        settings = Settings(url=str(folder / f"archive-{chosen.holds}"), retention_days=90)
        archive = Archive("bench", LocalStore(settings.root), catalog, settings, staging_at(settings))
        prepare(archive, chosen.rows, chosen.holds)
        print_size(catalog, chosen.rows)
        seconds = plan_all(archive)
        ask(archive, chosen.rows)
        catalog.close()
    print(f"\npeak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    return 1 if seconds > chosen.most_s else 0


def prepare(archive: Archive, rows: int, count: int) -> None:
    """Make recordings and holds, unless they are there: each hold with its documents, rows and events."""
    fill(archive.catalog, rows)
    with archive.catalog.read() as connection:
        if connection.execute(select(func.count()).select_from(holds)).scalar_one() == count:
            return
    (archive.settings.root / documents.FOLDER).mkdir(parents=True, exist_ok=True)
    for chunk in chunked(generate(rows, count), _CHUNK):
        with archive.catalog.write() as connection:
            for hold in chunk:
                digest = write(archive, documents.key_of(hold.id), documents.compose(archive.id, hold))
                enter(connection, replace(hold, released_at=None, released_by=None, release_reason=None), digest)
                if hold.released_at:
                    key, content = documents.release_key_of(hold.id), documents.compose_release(archive.id, hold)
                    end(connection, hold, write(archive, key, content))


def write(archive: Archive, key: str, content: bytes) -> str:
    """Write a document without waiting for the disk; return its SHA-256."""
    (archive.settings.root / key).write_bytes(content)
    return sha256(content).hexdigest()


def generate(rows: int, count: int) -> Iterator[Hold]:
    """Holds of every kind; one in twenty is released."""
    dice = random.Random(3)  # noqa: S311 - the same holds each time
    made = kinds(rows, dice)
    for number, kind in enumerate(dice.choices(list(made), weights=[made[kind][0] for kind in made], k=count)):
        at = FIRST + timedelta(days=DAYS, seconds=number)
        ended = (at, "somebody", "settled") if number % 20 == 0 else (None, None, None)
        yield Hold(f"H-20260927-{number:06x}", f"Case {number}", kind, "somebody", at, made[kind][1](), *ended)


def kinds(rows: int, dice: random.Random) -> dict[str, tuple[int, Callable[[], Criteria]]]:
    """Kinds of holds: how many in a hundred, and how to make one."""

    def agents(most: int = 2) -> tuple[str, ...]:
        numbers = [min(int(dice.expovariate(4 / AGENTS)), AGENTS - 1) for _ in range(dice.randint(1, most))]
        return tuple(agent_name(each).upper() if dice.randrange(2) else f"agent-{each}" for each in numbers)

    def queues(most: int = 2) -> tuple[str, ...]:
        return tuple(f"queue {dice.randrange(QUEUES)}" for _ in range(dice.randint(1, most)))

    def numbers() -> tuple[str, ...]:
        return tuple(caller(int(CALLERS * dice.random() ** 2))[4:] for _ in range(dice.randint(1, 2)))

    def ids() -> tuple[str, ...]:
        return tuple(identity(dice.randrange(rows)) for _ in range(dice.randint(1, 5)))

    def dates(days: float) -> tuple[datetime, datetime]:
        start = FIRST + timedelta(days=DAYS * dice.random())
        return start, start + timedelta(days=days)

    return {
        "interactions": (40, lambda: Criteria(ids())),
        "numbers": (19, lambda: Criteria(numbers=numbers())),
        "agents, a month": (15, lambda: Criteria((), agents(), (), (), *dates(30))),
        "queues, two days": (10, lambda: Criteria((), (), queues(), (), *dates(2))),
        "agents and queues, a quarter": (6, lambda: Criteria((), agents(), queues(), (), *dates(90))),
        "agents and numbers": (4, lambda: Criteria((), agents(), (), numbers())),
        "all three, a year": (3, lambda: Criteria((), agents(), queues(), numbers(), *dates(365))),
        "an hour": (2, lambda: Criteria((), (), (), (), *dates(1 / 24))),
        "teams, a day": (1, lambda: Criteria((), agents(60) * 2, queues(20), (), *dates(1))),
    }


def plan_all(archive: Archive) -> float:
    """Plan a year after the last recording, when all have expired; print what it took; return its seconds."""
    as_of = FIRST + timedelta(days=DAYS + 365)
    wall, cpu = time.perf_counter(), time.process_time()
    plan = make_plan(archive, RUN, dry_run=True, as_of=as_of)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    decided = {**plan.counts, **plan.kept}
    print(f"planned {sum(decided.values()):,} recordings: { ({name: n for name, n in decided.items() if n}) }")
    print(f"in {wall:.1f} s, {cpu:.1f} s of CPU time\n")
    with archive.catalog.write() as connection:
        for table in (plans, dispositions):
            connection.execute(delete(table).where(table.c.run_id == RUN))
    return wall


def ask(archive: Archive, rows: int) -> None:
    """Print what single recordings, a page of them and new holds take."""
    dice = random.Random(4)  # noqa: S311 - the same questions each time
    print("\n| question | p50 ms | p95 ms | max ms |\n|---|---|---|---|")

    def some(count: int) -> list[Row[Any]]:
        begin = FIRST + timedelta(days=DAYS * dice.random() * 0.99)  # neighbours in time, as a page of a search
        found = select(recordings).where(_KEY[0] >= begin).order_by(*_KEY).limit(count)
        with archive.catalog.read() as connection:
            return list(connection.execute(found))

    def ask_for(count: int) -> Callable[[], object]:
        asked = some(count)

        def question() -> object:
            with archive.catalog.read() as connection:
                return holding(connection, asked)

        return question

    def count(criteria: Criteria) -> Callable[[], object]:
        made = Hold("", "", "", "", FIRST, criteria, None, None, None)
        return lambda: effect(archive, made)

    _print_times("who holds one recording", [ask_for(1) for _ in range(60)])
    _print_times("who holds a page of 50", [ask_for(50) for _ in range(10)])
    for kind, (_, make) in kinds(rows, dice).items():
        _print_times(f"new hold: {kind}", [count(make()) for _ in range(10)])


def _print_times(name: str, questions: list[Callable[[], object]]) -> None:
    times = []
    for question in questions:
        begun = time.perf_counter()
        question()
        times.append((time.perf_counter() - begun) * 1000)
    print_times(name, times)


if __name__ == "__main__":
    sys.exit(main())
