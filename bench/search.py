"""``python -m bench.search``: how long a search takes in a catalog of a million recordings with three parties each.

Makes the catalog once (some minutes), prints how large it is, then runs typical searches, each many times with other
values, a page of 50 at a time, and prints the percentiles. Exit status 1 when the 95th percentile of any search exceeds
``--most-ms``.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from sqlalchemy import func, insert, select, text

from recording_archive.access.condition import permitted
from recording_archive.access.rules import Document, Right, Rule, Viewer, Who
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index as index_parties
from recording_archive.catalog.rows import chunked, pages, part_key
from recording_archive.catalog.search import Filters, Position, search
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import Visible
from recording_archive.model import PartId, Party, State
from recording_archive.parties.documents import columns

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 1000
AGENTS, QUEUES, CALLERS = 800, 40, 300_000
_CHUNK = 10_000
_GIVEN = ["Anna", "Björn", "Carla", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Inés", "Jonas"]
_FAMILY = ["Müller", "Okafor", "Schmidt", "Tanaka", "Novák", "Rossi", "Silva", "Weber", "Yılmaz", "Zhang"]


def main() -> int:
    """Fill, ask, print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--most-ms", type=float, default=50)
    parser.add_argument("--keep", type=Path, help="folder that keeps the catalog for the next time")
    parser.add_argument("--url", help="another catalog's URL, empty or filled by this program before")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (chosen.keep or Path(scratch)).absolute()
        catalog = Catalog(chosen.url or f"sqlite:///{folder / f'search-{chosen.rows}.db'}")
        fill(catalog, chosen.rows)
        print_size(catalog, chosen.rows)
        slowest = ask(catalog, chosen.rows, chosen.rounds)
        catalog.close()
    return 1 if slowest > chosen.most_ms else 0


def fill(catalog: Catalog, rows: int) -> None:
    """Make the recordings, unless they are there: without indexes first, which is several times faster."""
    with catalog.read() as connection:
        if connection.execute(select(func.count()).select_from(recordings)).scalar_one() == rows:
            return
    with catalog.write() as connection:
        for index in recordings.indexes:
            index.drop(connection)
    for chunk in chunked(generate(rows), _CHUNK):
        with catalog.write() as connection:
            connection.execute(insert(recordings), chunk)
    with catalog.write() as connection:
        for index in recordings.indexes:
            index.create(connection)
    for page in pages(catalog, select(recordings), *part_key(recordings), size=_CHUNK):  # by id, as the index wants it
        with catalog.write() as connection:
            index_parties(connection, page)


def print_size(catalog: Catalog, rows: int) -> None:
    """Print how large the catalog is, with and for each of its recordings."""
    asked = {
        "sqlite": "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), "
        "pragma_page_size()",
        "postgresql": "SELECT pg_database_size(current_database())",
    }
    with catalog.read() as connection:
        size = connection.execute(text(asked[connection.dialect.name])).scalar_one()
    print(f"catalog: {size / 1e6:,.0f} MB, {size / rows:,.0f} bytes a recording\n")


def generate(rows: int) -> Iterator[dict[str, Any]]:
    """Calls over `DAYS` days: one in a thousand undated, one in twenty without agent, one in two hundred rotten."""
    dice = random.Random(1)  # noqa: S311 - the same catalog each time
    for number in range(rows):
        agent, queue = min(int(dice.expovariate(4 / AGENTS)), AGENTS - 1), dice.randrange(QUEUES)
        at = FIRST + timedelta(days=DAYS * number / rows, milliseconds=dice.randrange(60_000))
        archived = dice.randrange(50) > 0
        call = identity(number)
        size, duration = dice.randrange(10_000, 5_000_000), int(dice.expovariate(1 / 240_000))
        nobody, nowhere = duration % 20 == 0, duration % 20 == 1  # without agent, without the number that was called
        numbers = {
            "ani": caller(int(CALLERS * dice.random() ** 2)),
            "dnis": None if nowhere else f"tel:+49800{dice.randrange(12):04}",
        }
        yield {
            **numbers,
            **columns(numbers, others(dice), "DE"),
            "interaction_id": call,
            "recording_id": call,
            "part": 0,
            "state": State.ARCHIVED if archived else State.DISCOVERED,
            "interaction_date": at if dice.randrange(1000) else None,
            "agent_id": None if nobody else f"agent-{agent}",
            "agent_name": None if nobody else agent_name(agent),
            "queue_id": f"queue-{queue}",
            "queue_name": f"Queue {queue}",
            "direction": "inbound" if dice.randrange(4) else "outbound",
            "media_type": "call" if dice.randrange(10) else "screen",
            "duration_ms": duration,
            "key": f"recordings/org=default/{at:year=%Y/month=%m/day=%d}/{call}~{call}~0.wav.gz" if archived else None,
            "mime_type": "audio/wav" if archived else None,
            "sha256": f"{number:064x}" if archived else None,
            "size_bytes": size if archived else None,
            "stored_sha256": f"{number:064x}" if archived else None,
            "stored_bytes": size * 6 // 10 if archived else None,
            "archived_at": at + timedelta(days=1) if archived else None,
            "verified_at": at + timedelta(days=1) if archived else None,
            "verified_ok": bool(dice.randrange(200)) if archived else None,
            "failed_since": None if archived else at,
            "failures": 0 if archived else 1,
            "last_error": None if archived else "HTTP 404",
        }


def others(dice: random.Random) -> tuple[Party, Party]:
    """Two more parties: an agent to whom it was transferred, and somebody who was asked; one in four possibly so."""
    agent, queue = min(int(dice.expovariate(4 / AGENTS)), AGENTS - 1), dice.randrange(QUEUES)
    number, certain = int(CALLERS * dice.random() ** 2), dice.randrange(4) > 0
    return (
        Party(f"agent-{agent}", agent_name(agent), f"queue-{queue}", f"Queue {queue}", certain=certain),
        Party(ani=caller(number), contact_id=f"contact-{number}", certain=certain),
    )


def identity(number: int) -> str:
    """The id of a call; neighbours in time are no neighbours in the index, as with UUIDs."""
    mixed = number * 0x9E3779B97F4A7C15 % 2**64
    return f"{mixed >> 32:08x}-{mixed >> 16 & 0xFFFF:04x}-4000-8000-{number:012x}"


def agent_name(number: int) -> str:
    """A name that some share in part, none in whole."""
    return f"{_GIVEN[number % 10]} {_FAMILY[number // 10 % 10]} {number}"


def caller(number: int) -> str:
    """A caller's number as the source writes it."""
    return f"tel:+4930{number:08}"


def visible(
    *, agents: Sequence[str] = (), queues: Sequence[str] = (), denied: Sequence[str] = (), opened: Sequence[str] = ()
) -> Visible:
    """The recordings of somebody who is granted some, or all but those of some agents; and what was opened to them."""
    who, what = Who(everyone=True), (Right.METADATA,)
    grant = Rule("granted", who, what, agents=tuple(agents), queues=tuple(queues))
    denials = (Rule("denied", who, what, agents=tuple(denied)),) if denied else ()
    document = Document("", "bench", (grant,), denials)
    return permitted(document, Viewer("jane"), Right.METADATA, now=FIRST + timedelta(days=DAYS), opened=opened)


def questions(rows: int, dice: random.Random) -> dict[str, Callable[[], Filters]]:
    """Queries to measure, with other values each time."""

    def within(days: int, filters: Filters) -> Filters:
        start = FIRST + timedelta(days=dice.randrange(DAYS - days))
        return replace(filters, start=start, end=start + timedelta(days=days))

    def agent() -> str:
        return f"agent-{dice.randrange(AGENTS)}"

    def some_id() -> str:
        return identity(dice.randrange(rows))

    return {
        "newest": Filters,
        "one id": lambda: Filters(ids=(some_id(),)),
        "1,000 ids pasted": lambda: Filters(ids=tuple(some_id() for _ in range(1000))),
        "id in the text box": lambda: Filters(text=some_id()),
        "the start of an id": lambda: Filters(text=some_id()[: dice.randrange(6, 20)].upper()),
        "100 ids pasted, one mistyped": lambda: Filters(text="\n".join(["typo", *(some_id() for _ in range(99))])),
        "family name in the text box": lambda: Filters(text=dice.choice(_FAMILY).lower()),
        "number in the text box": lambda: Filters(text=f"+49 30 {dice.randrange(CALLERS):08}"),
        "a contact": lambda: Filters(contact=f"contact-{dice.randrange(CALLERS)}"),
        "number without a country": lambda: Filters(number=f"030 {dice.randrange(CALLERS):08}"),
        "caller's number": lambda: Filters(number=caller(dice.randrange(CALLERS))),
        "main number": lambda: Filters(number="+498000003"),
        "one day": lambda: within(1, Filters()),
        "agent": lambda: Filters(agent=agent()),
        "agent's name, one month": lambda: within(30, Filters(agent=agent_name(dice.randrange(AGENTS)))),
        "queue": lambda: Filters(queue=f"queue-{dice.randrange(QUEUES)}"),
        "queue, one day, outbound": lambda: within(
            1, Filters(queue=f"Queue {dice.randrange(QUEUES)}", direction="outbound")
        ),
        "agent and queue": lambda: Filters(agent=agent(), queue=f"queue-{dice.randrange(QUEUES)}"),
        "over an hour": lambda: Filters(min_seconds=3600),
        "5 to 6 minutes, screen": lambda: Filters(min_seconds=300, max_seconds=360, media_type="screen"),
        "archived": lambda: Filters(state=State.ARCHIVED),
        "failed, one month": lambda: within(30, Filters(state=State.DISCOVERED)),
        "verified: failed": lambda: Filters(verified="failed"),
        "one queue alone is visible": lambda: Filters(visible=visible(queues=[f"Queue {dice.randrange(QUEUES)}"])),
        "one queue, and three calls that were opened": lambda: Filters(
            visible=visible(queues=[f"Queue {dice.randrange(QUEUES)}"], opened=[some_id() for _ in range(3)])
        ),
        "own calls alone": lambda: Filters(visible=visible(agents=[agent_name(dice.randrange(AGENTS))])),
        "an agent, where one queue is visible": lambda: Filters(
            agent=agent(), visible=visible(queues=[f"queue-{dice.randrange(QUEUES)}"])
        ),
        "all but two agents": lambda: Filters(visible=visible(denied=[agent(), agent_name(dice.randrange(AGENTS))])),
        "nothing matches": lambda: Filters(agent=agent(), queue="no such queue", direction="outbound"),
    }


def ask(catalog: Catalog, rows: int, rounds: int) -> float:
    """Print a line for each question; return the slowest 95th percentile in milliseconds."""
    dice = random.Random(2)  # noqa: S311 - the same questions each time
    print(f"{rows:,} recordings, {rounds} rounds, milliseconds\n\n| question | p50 | p95 | max |\n|---|---|---|---|")
    asked = {name: [_time(catalog, make, None) for _ in range(rounds)] for name, make in questions(rows, dice).items()}
    middle = Position(FIRST + timedelta(days=DAYS // 2), PartId("", ""))
    asked["half the archive later"] = [_time(catalog, Filters, middle) for _ in range(rounds)]
    for name, times in asked.items():
        print_times(name, times)
    print_times("all", [each for times in asked.values() for each in times])
    return max(quantiles(times, n=20)[18] for times in asked.values())


def print_times(name: str, times: list[float]) -> None:
    """Print a line of a Markdown table: median, 95th percentile and maximum of times in milliseconds."""
    print(f"| {name} | {quantiles(times, n=20)[9]:.1f} | {quantiles(times, n=20)[18]:.1f} | {max(times):.1f} |")


def _time(catalog: Catalog, make: Callable[[], Filters], after: Position | None) -> float:
    filters = make()
    start = time.perf_counter()
    search(catalog, filters, limit=50, after=after)
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    sys.exit(main())
