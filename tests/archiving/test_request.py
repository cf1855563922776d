"""What a run is asked for, from what was given at trigger time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recording_archive.archiving.request import Request, read_request
from recording_archive.errors import ConfigurationError
from recording_archive.model import Window
from support.spellings import GUID, PASTED

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 30, 10, tzinfo=UTC)
INTERVAL = Window(datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))


def read(conf: dict[str, Any], interval: Window | None = INTERVAL, *, scheduled: bool = False) -> Request:
    return read_request(conf, interval=interval, scheduled=scheduled, zone=BERLIN, now=NOW)


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ("a", ("a",)),
        (" a , b,a ", ("a", "b")),
        (["a", "b"], ("a", "b")),
        (["a,b", "c"], ("a", "b", "c")),
    ],
)
def test_ids_in_every_form(given: Any, ids: tuple[str, ...]) -> None:
    """A text, a comma list and an array name the same interactions, each once, and no date is needed."""
    assert read({"interactionId": given}) == Request(ids=ids)


@pytest.mark.parametrize("spelled", PASTED)
def test_an_id_in_every_spelling(spelled: str) -> None:
    """A pasted id is the same wherever it stands; lines and blanks part ids as well."""
    assert read({"interactionId": spelled}).ids == (GUID,)
    assert read({"interactionId": [f"a\n{spelled}", GUID.upper()]}).ids == ("a", GUID)


def test_dates_are_whole_local_days() -> None:
    """A date is a day of the configured zone, the end included, also across the change to summer time."""
    window = read({"startDate": "2026-03-28", "endDate": "2026-03-29"}).window
    assert window == Window(datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", 23),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", 25),
        ("America/Havana", "2026-03-08", "2026-03-08T05:00", 23),  # has no midnight: begins at one o'clock
        ("America/Havana", "2026-11-01", "2026-11-01T04:00", 25),  # has midnight twice: begins at the first
        ("Atlantic/Azores", "2026-03-29", "2026-03-29T01:00", 23),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30", 23.5),
    ],
)
def test_a_day_begins_with_its_first_moment(zone: str, day: str, start: str, hours: float) -> None:
    """Whatever the clocks do at midnight, days follow each other without a gap and without an overlap."""
    conf = {"startDate": day, "endDate": day}
    window = read_request(conf, interval=None, scheduled=False, zone=ZoneInfo(zone), now=NOW).window
    assert window
    assert window.start == datetime.fromisoformat(f"{start}Z")
    assert window.end - window.start == timedelta(hours=hours)


def test_date_times_are_exact() -> None:
    """A date-time counts as it is; without a zone it is read in the configured one."""
    window = read({"startDate": "2026-03-29T08:00:00", "endDate": "2026-03-29T08:00:00Z"}).window
    assert window == Window(datetime(2026, 3, 29, 6, tzinfo=UTC), datetime(2026, 3, 29, 8, tzinfo=UTC))


def test_ids_and_dates_are_joined() -> None:
    """With both, the run's own interval is ignored and both clauses stand."""
    request = read({"interactionId": "a", "startDate": "2026-03-01", "endDate": "2026-03-01"})
    assert request.ids == ("a",)
    assert request.window == Window(datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 1, 23, tzinfo=UTC))
    assert request.kind == "asked"


def test_own_interval_counts_when_nothing_is_asked() -> None:
    """Empty form fields mean the run's own interval; only scheduled runs close gaps."""
    blank = {"interactionId": None, "startDate": None, "endDate": None}
    assert read(blank, scheduled=True) == Request(window=INTERVAL, scheduled=True)
    assert read(blank).kind == "range"


def test_without_interval_the_last_whole_day() -> None:
    """A run triggered without a logical date archives yesterday, the 23-hour day of the change included."""
    assert read({}, interval=None).window == INTERVAL


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ({"interactionid": "a"}, "Unknown parameter interactionid"),
        ({"startDate": "2026-03-01"}, "endDate: startDate and endDate must be given together"),
        ({"endDate": "2026-03-01"}, "startDate: startDate and endDate"),
        ({"startDate": "2026-03-02", "endDate": "2026-03-01"}, "endDate 2026-03-01 is not after startDate 2026-03-02"),
        ({"startDate": "01.03.2026", "endDate": "2026-03-01"}, "startDate: '01.03.2026' is neither a date"),
        ({"startDate": 5, "endDate": "2026-03-01"}, "startDate: 5 is neither a date"),
        ({"startDate": "9999-12-31", "endDate": "9999-12-31"}, "endDate: '9999-12-31' is neither"),
        ({"interactionId": " , "}, "interactionId: no id was given"),
        ({"interactionId": [1]}, "interactionId: give a text"),
        ({"interactionId": {"id": "a"}}, "interactionId: give a text"),
    ],
)
def test_refusals_name_the_parameter(conf: dict[str, Any], says: str) -> None:
    """What cannot be meant is refused before any request, by name and with the right form."""
    with pytest.raises(ConfigurationError, match=says.replace("(", r"\(")):
        read(conf)
