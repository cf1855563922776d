"""Telephone numbers: how sources spell what people ask for."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[\s()./-]")
_NUMBER = re.compile(r"\+?\d+")
_URI = "tel:"


def spellings(number: str) -> list[str]:
    """List the forms in which a source may write a number: as given, bare, and as a ``tel:`` URI (RFC 3966)."""
    given, bare = number.strip(), _bare(number)
    if not _NUMBER.fullmatch(bare):
        return [given]
    digits = bare.lstrip("+")
    return list(dict.fromkeys((given, bare, f"+{digits}", digits, f"{_URI}+{digits}")))


def canonical(number: str) -> str:
    """The one spelling that stands for all others: digits alone; a text that is no number stands for itself.

    Two texts are the same number when theirs are equal: it tells no country or trunk prefix from other digits.
    """
    bare = _bare(number)
    return bare.lstrip("+") if _NUMBER.fullmatch(bare) else number.strip()


def _bare(number: str) -> str:
    return _SEPARATORS.sub("", number.strip().removeprefix(_URI))
