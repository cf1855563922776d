"""The registry of sources: for each `api` that a connection may name, its contract and how its source is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from recording_archive.settings import Settings
from recording_archive.sources import Source
from recording_archive.sources.client import ApiClient
from recording_archive.sources.contracts import INTERACTIONS, PLATFORM, Contract
from recording_archive.sources.conversations import ConversationsSource
from recording_archive.sources.interactions import InteractionsSource

__all__ = ["SOURCES", "Api", "SourceKind", "SourceOptions"]

Api = Literal["interactions", "conversations"]
Sleep = Callable[[float], None]


class SourceOptions(Protocol):
    """The fields of a connection's extra that sources read."""

    @property
    def organization(self) -> str:
        """The first folder of the source's keys."""

    @property
    def recording_metadata(self) -> bool:
        """Spend one more request per conversation on the metadata of its recordings."""

    @property
    def participant_attributes(self) -> Sequence[str]:
        """The participant attributes to keep."""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """The contract of one API, and the function that makes its source."""

    contract: Contract
    make: Callable[[ApiClient, SourceOptions, Settings, Sleep], Source]


def _interactions(client: ApiClient, options: SourceOptions, _settings: Settings, _sleep: Sleep) -> Source:
    return InteractionsSource(client, organization=options.organization)


def _conversations(client: ApiClient, options: SourceOptions, settings: Settings, sleep: Sleep) -> Source:
    return ConversationsSource(
        client,
        organization=options.organization,
        names_file=settings.staging / f".names-{options.organization}.json",
        full_metadata=options.recording_metadata,
        allowed=options.participant_attributes,
        sleep=sleep,
    )


SOURCES: Mapping[Api, SourceKind] = {
    "interactions": SourceKind(INTERACTIONS, _interactions),
    "conversations": SourceKind(PLATFORM, _conversations),
}
