"""Telephone numbers as sources and people write them, and the one form in which they are compared.

`number_form` is E.164 (``+442079460958``) where the country is known: by the number itself, or by the region that the
settings name. A number without a country is its digits alone; what is no number, such as ``sip:desk@example.com``, is
compared as a name.

Two numbers are the same when their forms are equal. Where one of them has no country, equal last nine digits mean that
they may be the same, and of a shorter number all digits behind its trunk prefix: the keys of `recorded_keys` and
`asked_keys` meet then, and only then.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    national_significant_number,
    parse,
)

TAIL = 9
"""Last digits that are compared where a country is not known."""

_LONG = TAIL + 3  # digits with the country, which has at most three: as many have nine behind it
_SHORTEST = 5  # an extension such as 1001 is nobody's telephone number

_SCHEME = re.compile(r"(tel|sips?|callto)\s*:\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[\d\s()./*-]*\d[\d\s()./*-]*(?:(?:#|;?\s*ext?(?:ension|n)?[.:=]?|x)\s*\d+)?", re.IGNORECASE)
_EXTENSION = re.compile(r"(?:#|;?\s*ext?(?:ension|n)?[.:=]?|x)\s*\d+$", re.IGNORECASE)
_CONTEXT = re.compile(r";phone-context=(\+[\d\s().-]+)", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s()./-]")
_OLD_NUMBER = re.compile(r"\+?\d+")
_MINUS = "\u2212"


@lru_cache(maxsize=65536)
def number_form(text: str, region: str = "") -> str:
    """Return the form that stands for all spellings of a number; ``region`` is an ISO country, or empty."""
    plain = _plain(text)
    number = _subscriber(plain)
    if not _NUMBER.fullmatch(number):
        return " ".join(plain.casefold().split()) or text
    return _international(number, region) or re.sub(r"\D", "", _EXTENSION.sub("", number))


def is_region(name: str) -> bool:
    """Tell if a region has a numbering plan: an ISO 3166 country, in capitals."""
    return name in SUPPORTED_REGIONS


@lru_cache(maxsize=262144)  # all of the numbers of a year: they are asked for with each recording
def recorded_keys(form: str) -> tuple[str, ...]:
    """List the keys under which a recorded number may be meant by one that is asked for."""
    kind = "country" if form.startswith("+") else "national"
    return tuple(f"{kind}:{tail}" for tail in _tails(form))


def asked_keys(form: str) -> Iterator[str]:
    """Yield the keys of recorded numbers that a number which is asked for may mean."""
    for tail in _tails(form):
        yield f"national:{tail}"
        if not form.startswith("+"):
            yield f"country:{tail}"


def old_form(number: str) -> str:
    """Return the form that keyed hashes of erased persons were made of before: digits, or the text itself."""
    bare = _SEPARATORS.sub("", number.strip().removeprefix("tel:"))
    return bare.lstrip("+") if _OLD_NUMBER.fullmatch(bare) else number.strip()


@lru_cache(maxsize=65536)
def _tails(form: str) -> tuple[str, ...]:
    """Return the last digits of a number: with its country, and of a short one without it as well."""
    digits = form.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()):
        return ()
    national = str(national_significant_number(parse(form))) if form != digits and len(digits) < _LONG else ""
    tails = (each.lstrip("0")[-TAIL:] for each in (digits, national))
    return tuple(dict.fromkeys(tail for tail in tails if len(tail) >= _SHORTEST))


def _plain(text: str) -> str:
    """Remove what nobody sees, and make wide digits and all dashes plain."""
    shown = (each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")
    return "".join("-" if unicodedata.category(each) == "Pd" or each == _MINUS else each for each in shown).strip()


def _subscriber(text: str) -> str:
    """Return the number within a URI (RFC 3966, RFC 3261): no scheme, host or parameters, but for its country."""
    bare, schemes = _SCHEME.subn("", text.strip("<>\"' "), count=1)
    user = unquote(bare).partition("@")[0] if schemes or "@" in bare else bare
    number = re.split(r";(?!\s*ext?(?:ension|n)?[.:=]?\s*\d)", user, maxsplit=1)[0].strip()
    context = _CONTEXT.search(user)
    if context is None or number.startswith("+"):
        return number
    return context.group(1) + number


def _international(number: str, region: str) -> str | None:
    try:
        found = parse(number, region or None)
    except NumberParseException:
        return None
    if is_possible_number_with_reason(found) != ValidationResult.IS_POSSIBLE:
        return None
    return format_number(found, PhoneNumberFormat.E164)
