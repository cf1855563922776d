"""Grouping of recordings that are alike for the rules, in SQL: by their parties without what no rule asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, func, select

from recording_archive.catalog.tables import recordings
from recording_archive.parties.documents import NAMES

_parties = recordings.c.parties


def common_parties(dialect: str, names: Iterable[str]) -> ColumnElement[str]:
    """Select a text that is equal where parties are alike in the columns of these names; `read_parties` reads it."""
    wanted = ["certain", *(NAMES[name] for name in names)]
    if dialect == "sqlite":
        each = func.json_each(_parties).table_valued("value").c.value
        pairs = [part for name in wanted for part in (name, func.json_extract(each, f"$.{name}"))]
        document = select(func.json_group_array(func.json_object(*pairs)))
    else:
        each = func.json_array_elements(_parties).table_valued("value").c.value
        pairs = [part for name in wanted for part in (name, func.json_extract_path(each, name))]
        document = select(func.coalesce(cast(func.json_agg(func.json_build_object(*pairs)), Text), "[]"))
    return case((_parties.is_(None), None), else_=document.scalar_subquery())


def alike(parties: Sequence[Mapping[str, Any]] | None, names: Iterable[str]) -> str | None:
    """Make such a text of the parties of one recording."""
    if parties is None:
        return None
    wanted = ["certain", *(NAMES[name] for name in names)]
    return json.dumps([{name: party.get(name) for name in wanted} for party in parties])


def read_parties(text: str | None) -> list[dict[str, Any]] | None:
    """Read the parties that a text stands for, with what the rules ask for alone."""
    return None if text is None else [party | {"certain": bool(party["certain"])} for party in json.loads(text)]
