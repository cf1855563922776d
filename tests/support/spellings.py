"""Spellings in which people paste one id."""

from __future__ import annotations

GUID = "4f2a9c00-0b1c-4d2e-8f3a-000000000001"
_CAPITALS = GUID.upper()

PASTED = (
    _CAPITALS,
    f"{_CAPITALS[:18]}{GUID[18:]}",
    f'"{GUID}"',
    f"'{_CAPITALS}'",
    f"“{_CAPITALS}”",
    f"„{GUID}“",
    f"«{GUID}»",
    f"{{{_CAPITALS}}}",
    f'="{GUID}"',
    f" {_CAPITALS} ",
    f"\u00a0{GUID}\u00a0",
    f"{GUID}\t",
    f"{GUID},",
    f"{_CAPITALS};",
    f"\ufeff{GUID}",
    f"{GUID[:9]}\u200b{GUID[9:]}",
    f"\u202a{_CAPITALS}\u202c",
    GUID.replace("-", "\u2011"),
    _CAPITALS.replace("-", "\u2013"),
    "".join(chr(ord(each) + 0xFEE0) for each in GUID),  # full width
)
"""`GUID` in other spellings, as spreadsheets, mails, chats and consoles make them."""
