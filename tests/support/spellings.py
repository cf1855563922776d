"""Spellings in which people paste one id, and in which a source may list it."""

from __future__ import annotations

from sqlalchemy import update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings

GUID = "4f2a9c00-0b1c-4d2e-8f3a-000000000001"


def pasted(guid: str) -> tuple[str, ...]:
    """A GUID in other spellings, as spreadsheets, mails, chats and consoles make them."""
    capitals = guid.upper()
    return (
        capitals,
        f"{capitals[:18]}{guid[18:]}",
        f'"{guid}"',
        f"'{capitals}'",
        f"“{capitals}”",
        f"„{guid}“",
        f"«{guid}»",
        f"{{{capitals}}}",
        f'="{guid}"',
        f" {capitals} ",
        f"\u00a0{guid}\u00a0",
        f"{guid}\t",
        f"{guid},",
        f"{capitals};",
        f"\ufeff{guid}",
        f"{guid[:9]}\u200b{guid[9:]}",
        f"\u202a{capitals}\u202c",
        guid.replace("-", "\u2011"),
        capitals.replace("-", "\u2013"),
        "".join(chr(ord(each) + 0xFEE0) for each in guid),  # full width
    )


PASTED = pasted(GUID)


def list_as(archive: Archive, interaction_id: str, spelled: str) -> str:
    """Let the catalog have a recording as if the source had listed it with this id."""
    with archive.catalog.write() as connection:
        mine = update(recordings).where(recordings.c.interaction_id == interaction_id)
        connection.execute(mine.values(interaction_id=spelled, recording_id=spelled))
    return spelled
