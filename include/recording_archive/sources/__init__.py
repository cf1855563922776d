"""Sources of recordings: one Protocol for all APIs, so that a run need not know which one it reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from recording_archive.model import Listing, PartId, Window

__all__ = [
    "NOTHING_KNOWN",
    "Account",
    "Accountable",
    "Gap",
    "Handout",
    "Inventoried",
    "Orderable",
    "Probe",
    "Rehearsable",
    "Sample",
    "Source",
    "Stored",
    "organization_of",
]

NOTHING_KNOWN: Mapping[str, datetime] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Probe:
    """Result of trying a source: the token was granted and a query of one entry went through.

    ``scopes`` is None where the token's reply names none; ``listed`` counts the entries of the last day's query, 0 or
    1; ``requests`` counts those of the trial. ``notes`` are warnings that stop no run.
    """

    api_base: str
    scopes: frozenset[str] | None
    listed: int
    requests: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """One recording that the source keeps, and when it will delete it."""

    interaction_id: str
    recording_id: str
    created_at: datetime | None
    delete_at: datetime | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A range of which not everything could be listed; ``missing`` interactions did not come, for that ``reason``.

    0: nobody knows how many.
    """

    window: Window
    missing: int
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """The account of one listing: entries that came, as many as the source counted (None: unknown), and its gaps.

    ``notes`` name what was left out as a whole, and stop no run.
    """

    listed: int = 0
    counted: int | None = None
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()


@runtime_checkable
class Accountable(Protocol):
    """A source that can tell whether its last listing was complete."""

    def account(self) -> Account:
        """The account of the last `Source.discover`, after its end; its notes are of `Source.resolve` as well."""


@runtime_checkable
class Inventoried(Protocol):
    """A source that can list all it keeps, cheaply enough to compare an archive with it."""

    def inventory(self) -> Iterator[Stored]:
        """Every recording that the client may see."""


@runtime_checkable
class Orderable(Protocol):
    """A source whose service takes time to make media ready, and so takes orders ahead."""

    def order(self, parts: Sequence[PartId]) -> None:
        """Let the service begin with a chunk that `Source.resolve` is asked for next; raises nothing of the API's."""


@dataclass(frozen=True, slots=True)
class Handout:
    """Media URLs of one recording as the source gave them in one way, such as a batch; or the trouble it had.

    ``waited_s`` runs from the first of ``requests`` to the last reply; ``keys`` name the URLs where the reply does.
    ``is_cut``: a part of the recording is all that is shown; None where the source does not tell.
    """

    way: str
    waited_s: float = 0.0
    requests: int = 0
    urls: tuple[str, ...] = field(default=(), repr=False)
    content_types: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    is_cut: bool | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One recent recording of a kind, through each way to its media; or none, as ``note`` says.

    ``facts`` are what the source states of it, ready for JSON; without ``ids`` they are of the client itself.
    """

    kind: str
    ids: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    handouts: tuple[Handout, ...] = ()
    note: str | None = None


@runtime_checkable
class Rehearsable(Protocol):
    """A source that can hand out a few recent recordings, to be tried before the first run."""

    def rehearse(self) -> Iterator[Sample]:
        """One recent recording of each kind of media; what is wrong with one stays with it."""


class Source(Protocol):
    """A place that lists recordings and hands out short-lived URLs of their media.

    A source that cannot name recordings cheaply lists whole interactions (`PartId.whole`); `resolve` then gives every
    part of one, a listing of the whole itself with ``defect`` or ``deferred`` where there is more to say, or nothing.
    """

    @property
    def name(self) -> str:
        """Key of the coverage table: API and organization, as ``interactions:default``; it never changes."""

    @property
    def chunk(self) -> int:
        """Number of parts that one request of `resolve` asks for; their URLs are fetched before the next chunk's."""

    @property
    def requests(self) -> int:
        """Requests made to the API so far, by this object."""

    @property
    def organization(self) -> str:
        """The first folder of this source's keys; a safe id."""

    def discover(self, *, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        """List the parts of these interactions, of this window, or of both at once; at least one must be given.

        Pages are streamed. A part may come twice, far apart; undated parts come whatever the window is.
        """

    def resolve(
        self,
        parts: Sequence[PartId],
        *,
        thrifty: bool = False,
        known: Collection[PartId] = (),
        began: Mapping[str, datetime] = NOTHING_KNOWN,
    ) -> Iterator[Listing]:
        """List parts again with fresh media URLs, chunk by chunk as the caller goes on; parts now gone are left out.

        ``known`` parts of an interaction that is asked for as a whole need no media, and may be listed without.
        ``began`` tells when interactions began, as far as the catalog knows.

        Whatever goes wrong with one interaction is a defect of its parts, or defers them. An error that is raised
        concerns the others too, and comes between two interactions: what was listed before it can be archived.
        ``thrifty``: the run is so large that no request is spent on a single part that can be archived without.
        """

    def renew(self, part: PartId) -> str:
        """One fresh media URL for a part whose URL has expired; thread-safe."""

    def probe(self) -> Probe:
        """Get a token and ask for one entry of the last day; raise what a run would."""


def organization_of(name: str) -> str:
    """The organization of a source of that name."""
    return name.partition(":")[2]
