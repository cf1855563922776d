"""REST API: statistics of the archive, and its completeness by day."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.coverage import Coverage, read_coverage
from recording_archive.web.read.figures import Statistics, read_statistics

router = APIRouter()


First = Annotated[date | None, BeforeValidator(lambda value: value or None), Query(alias="from")]
Last = Annotated[date | None, BeforeValidator(lambda value: value or None), Query(alias="to")]


@router.get("/statistics", response_model=Statistics)
def show_statistics(archive: ArchiveDep, first: First = None, last: Last = None) -> Statistics:
    """The archive in figures; by day for up to 400 days, by default the last 30."""
    return read_statistics(archive, first, last)


@router.get("/coverage", response_model=Coverage)
def show_coverage(archive: ArchiveDep, first: First = None, last: Last = None) -> Coverage:
    """Of each day: complete, gap, or nothing expected; by default the last 92."""
    return read_coverage(archive, first, last)
