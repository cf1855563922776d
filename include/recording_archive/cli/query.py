"""Options of a search at the command line, the same for every command that takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from recording_archive.model import State

if TYPE_CHECKING:
    from datetime import datetime

    from recording_archive.archive import Archive
    from recording_archive.catalog.search import Filters

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

Start = Annotated[str | None, typer.Option("--from", help="From this day on, or this moment.")]
End = Annotated[str | None, typer.Option("--to", help="To the end of this day, or before this moment.")]
Agent = Annotated[str | None, typer.Option(help="Id of any agent who took part, or a part of the name.")]
Queue = Annotated[str | None, typer.Option(help="Id of any queue, or a part of its name.")]
Number = Annotated[str | None, typer.Option(help="Number of any party, in any spelling.")]
Contact = Annotated[str | None, typer.Option(help="Id of an external contact.")]
Rule = Annotated[
    str | None, typer.Option(help="In the archive, and governed by this rule of the policy in force; or default.")
]
ExpiresFrom = Annotated[
    str | None, typer.Option("--expires-from", help="In the archive, and its days end on this day or later.")
]
ExpiresTo = Annotated[
    str | None, typer.Option("--expires-to", help="In the archive, and its days end on this day or before.")
]


class Query(NamedTuple):
    """The values of the options; None for what was not given."""

    start: str | None = None
    end: str | None = None
    agent: str | None = None
    queue: str | None = None
    number: str | None = None
    contact: str | None = None
    rule: str | None = None
    expires_from: str | None = None
    expires_to: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """The values that were given, by the names of the options."""
        names = ("from", "to", *self._fields[2:])
        return {name: value for name, value in zip(names, self, strict=True) if value is not None}

    def filters(self, archive: Archive, *, words: str | None = None, status: State | None = None) -> Filters:
        """The search that is meant; raises ConfigurationError for a date that cannot be read, or an unknown rule."""
        from recording_archive.catalog.search import Filters
        from recording_archive.params import read_moment
        from recording_archive.retention.condition import by_policy

        def moment(option: str, text: str | None) -> datetime | None:
            return read_moment(option, text, archive.settings.zone, end=option.endswith("to")) if text else None

        asked = Filters(
            text=words,
            start=moment("--from", self.start),
            end=moment("--to", self.end),
            agent=self.agent,
            queue=self.queue,
            number=self.number,
            contact=self.contact,
            state=status,
            rule=self.rule,
            expires_from=moment("--expires-from", self.expires_from),
            expires_to=moment("--expires-to", self.expires_to),
            region=archive.settings.phone_region,
        )
        return by_policy(archive, asked)
