"""Grants and denials: for whom they are, for which recordings, and what they allow or forbid.

Rights are nested: who may download may listen, and who may do anything with a recording may see it. A grant of one
gives those within it; a denial of one takes those around it. So a denial of ``metadata`` hides a recording altogether.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic.alias_generators import to_camel

from recording_archive.spelling.names import folded


class Right(StrEnum):
    """A thing that somebody may do with a recording."""

    METADATA = "metadata"
    LISTEN = "listen"
    DOWNLOAD = "download"
    DECIDE = "decide"


_WITHIN = {
    Right.METADATA: frozenset({Right.METADATA}),
    Right.LISTEN: frozenset({Right.METADATA, Right.LISTEN}),
    Right.DOWNLOAD: frozenset({Right.METADATA, Right.LISTEN, Right.DOWNLOAD}),
    Right.DECIDE: frozenset({Right.METADATA, Right.DECIDE}),
}


_CRITERIA = ("agents", "queues", "divisions", "media_types", "older_than_days", "younger_than_days", "own_calls")


@dataclass(frozen=True, slots=True)
class Viewer:
    """A signed-in person or program; ``roles`` are None where the auth manager does not tell them."""

    name: str
    roles: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Who:
    """The people that a rule is about: any of these."""

    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    everyone: bool = False

    def has(self, viewer: Viewer) -> bool:
        """Tell if ``viewer`` is meant for certain: by the exact name, or by a role that is known."""
        return self.everyone or viewer.name in self.users or not (viewer.roles or frozenset()).isdisjoint(self.roles)

    def may_have(self, viewer: Viewer) -> bool:
        """Tell if ``viewer`` may be meant: by a spelling of the name, or by a role where roles are not known."""
        if viewer.roles is None and self.roles:
            return True
        return self.has(viewer) or folded(viewer.name) in map(folded, self.users)


@dataclass(frozen=True, slots=True)
class Rule:
    """One grant or denial: who, what, and the recordings; values of a field are alternatives, all fields must match.

    ``own_calls``: those in which the viewer is an agent. A recording is ``older_than`` and ``younger_than`` some days.
    ``hours``: it lets somebody break the glass, for as long at most.
    """

    name: str
    who: Who
    what: tuple[Right, ...]
    agents: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    older_than_days: int | None = None
    younger_than_days: int | None = None
    own_calls: bool = False
    hours: int | None = None

    @property
    def is_general(self) -> bool:
        """Tell if it is about all recordings."""
        return not any(getattr(self, name) for name in _CRITERIA)

    def to_json(self) -> dict[str, Any]:
        """Return the rule as its document has it; what is not given is left out."""
        who = {"users": self.who.users, "roles": self.who.roles, "everyone": self.who.everyone}
        asked = {name: getattr(self, name) for name in _CRITERIA}
        values: dict[str, Any] = {"name": self.name, **who, "what": self.what, "hours": self.hours}
        values |= {to_camel(name): each for name, each in asked.items()}
        return {name: list(each) if isinstance(each, tuple) else each for name, each in values.items() if each}

    def gives(self, right: Right) -> bool:
        """Tell if a grant of this gives ``right``."""
        return any(right in _WITHIN[each] for each in self.what)

    def takes(self, right: Right) -> bool:
        """Tell if a denial of this takes ``right``."""
        return any(each in _WITHIN[right] for each in self.what)


@dataclass(frozen=True, slots=True)
class Document:
    """The grants and denials in force; ``agents`` are the ids and names under which users are known as agents."""

    version: str
    name: str
    grants: tuple[Rule, ...] = ()
    denials: tuple[Rule, ...] = ()
    break_glass: tuple[Rule, ...] = ()
    agents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origin: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, with its version."""
        head = {"version": self.version, "name": self.name}
        rules = {kind: [rule.to_json() for rule in getattr(self, kind)] for kind in ("grants", "denials")}
        if self.break_glass:
            rules["breakGlass"] = [rule.to_json() for rule in self.break_glass]
        return {**head, **rules, "agents": {user: list(names) for user, names in self.agents.items()}}

    def granted(self, viewer: Viewer, right: Right) -> list[Rule]:
        """List the grants that give somebody a right to some recordings."""
        return [rule for rule in self.grants if rule.gives(right) and rule.who.has(viewer)]

    def denied(self, viewer: Viewer, right: Right) -> list[Rule]:
        """List the denials that take it from somebody who may be meant."""
        return [rule for rule in self.denials if rule.takes(right) and rule.who.may_have(viewer)]

    def opening(self, viewer: Viewer) -> list[Rule]:
        """List the rules by which somebody may open recordings for a while."""
        return [rule for rule in self.break_glass if rule.who.has(viewer)]

    def names_of(self, viewer: Viewer) -> frozenset[str]:
        """Return the spellings, as `folded` has them, of the agent who the viewer is."""
        return _folded(self.agents.get(viewer.name, (viewer.name,)))


def _folded(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(map(folded, texts))
