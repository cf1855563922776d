"""Recordings with all that totals are counted by, at random, and changes of them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, update

from recording_archive.catalog.tables import recordings
from recording_archive.model import State


def any_row(dice: random.Random, number: int, now: datetime) -> dict[str, Any]:
    """A recording within some 60 days before ``now``; each value may be missing."""
    name = f"call-{number}"
    return {"interaction_id": name, "recording_id": name, "part": 0, **_values(dice, now)}


def shuffle(connection: Connection, dice: random.Random, now: datetime) -> None:
    """Change some recordings by one statement, as any part of the code may."""
    name = f"call-{dice.randrange(600)}"
    values = _values(dice, now)
    some = dict(dice.sample(list(values.items()), dice.randint(1, len(values))))
    change = dice.choice(("one", "many", "nothing", "gone", "new"))
    if change == "new":
        row = any_row(dice, 1000 + dice.randrange(10**9), now)
        connection.execute(insert(recordings), [row])
    elif change == "gone":
        connection.execute(delete(recordings).where(recordings.c.interaction_id == name))
    elif change == "nothing":
        connection.execute(update(recordings).values(last_error=name))
    else:
        mine = recordings.c.interaction_id == name if change == "one" else recordings.c.interaction_id.like(f"{name}%")
        connection.execute(update(recordings).where(mine).values(**some))


def _values(dice: random.Random, now: datetime) -> dict[str, Any]:
    def moment() -> datetime | None:
        return dice.choice((now - timedelta(days=60 * dice.random()), now - timedelta(days=dice.randrange(60)), None))

    return {
        "state": dice.choice(list(State)),
        "interaction_date": moment(),
        "verified_at": moment(),
        "verified_ok": dice.choice((True, False, None)),
        "size_bytes": dice.choice((None, dice.randrange(10**7))),
        "stored_bytes": dice.choice((None, dice.randrange(10**7))),
        "deletion": dice.choice((None, {"why": "due"})),
    }
