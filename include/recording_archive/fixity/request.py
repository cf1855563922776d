"""The request to a run of `verify_archive`: what is due, named interactions, everything, or a sweep alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recording_archive.errors import ConfigurationError
from recording_archive.params import read_ids

PARAMS = ("interactionIds", "everything", "reindex", "sweep_only")


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a run: what is due when nothing is set; ``reindex`` comes first, whatever else is asked for."""

    ids: tuple[str, ...] = ()
    everything: bool = False
    reindex: bool = False
    sweep_only: bool = False

    @property
    def kind(self) -> str:
        """Name the scope as the run's record and its report do."""
        return "sweep" if self.sweep_only else "asked" if self.ids else "everything" if self.everything else "due"


def read_scope(conf: Mapping[str, Any]) -> Scope:
    """Turn the parameters of a DAG run into a scope; raise ConfigurationError that names the wrong one."""
    if unknown := sorted(set(conf) - set(PARAMS)):
        raise ConfigurationError(f"Unknown parameter {', '.join(unknown)}: this DAG takes {', '.join(PARAMS)}")
    flags = {name: conf.get(name) or False for name in PARAMS[1:]}
    if wrong := [name for name, value in flags.items() if not isinstance(value, bool)]:
        raise ConfigurationError(f"{', '.join(wrong)}: give true or false")
    scope = Scope(ids=read_ids("interactionIds", conf.get("interactionIds")), **flags)
    if sum((bool(scope.ids), scope.everything, scope.sweep_only)) > 1:
        raise ConfigurationError("interactionIds, everything and sweep_only exclude each other: give one of them")
    return scope
