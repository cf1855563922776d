"""Names as people and sources write them: in any case, width and composition, with blanks and quotes of any kind."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4`"), "'")
_QUOTES = "'\"\u201c\u201d\u201e\u201f\u201a\u00ab\u00bb\u2039\u203a\u2033"


@lru_cache(maxsize=65536)  # a contact centre has thousands of names in millions of rows
def folded(text: str) -> str:
    """Return the form that stands for all spellings of a name: equal forms mean the same name.

    Compatibility caseless matching (Unicode, D146), and without format characters, doubled blanks and quotes around
    it; typographic apostrophes and dashes are plain ones. A text of nothing else stands for itself.
    """
    shown = "".join(_plain(character) for character in text.translate(_APOSTROPHES))
    caseless = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", shown).casefold()).casefold()
    composed = unicodedata.normalize("NFKC", caseless).translate(_APOSTROPHES)
    return " ".join(" ".join(composed.split()).strip(_QUOTES + " ").split()) or text


def _plain(character: str) -> str:
    """Return a character as it is compared, before case and composition: no format characters, one dash."""
    kind = unicodedata.category(character)
    return "" if kind == "Cf" else "-" if kind == "Pd" else character
