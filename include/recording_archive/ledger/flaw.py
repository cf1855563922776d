"""Flaw: one thing that a proof found to be wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flaw:
    """A line or a key, and what is wrong with it; not ``tampered`` for what the next sealing may make good."""

    place: str
    problem: str
    tampered: bool = True
