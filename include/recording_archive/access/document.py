"""The access document: its schema, and errors that name the line and what to write there."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from hashlib import sha256
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from recording_archive.access.rules import Document, Right, Rule, Who
from recording_archive.errors import ConfigurationError
from recording_archive.retention import strict_yaml
from recording_archive.retention.strict_yaml import YamlDocument, YamlPath

_MOST_RULES, _MOST_VALUES, _MOST_CHARACTERS, _MOST_DAYS = 1000, 5000, 200, 36_500
_MOST_HOURS = 168  # that glass stays broken
_MOST_ERRORS = 10  # told at once
_NOBODY = "is about nobody: name users or roles, or write everyone: true"
_NOTHING = f"allows or forbids nothing: name some of {', '.join(Right)}"


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip() or not 0 < len(text) <= _MOST_CHARACTERS:
        raise ValueError(f"must be 1 to {_MOST_CHARACTERS} printable characters, without spaces around them")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
Lines = Annotated[tuple[Line, ...], Field(min_length=1, max_length=_MOST_VALUES, strict=False)]
Days = Annotated[int, Field(ge=1, le=_MOST_DAYS)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class _About(_Part):
    name: Line
    users: Lines = ()
    roles: Lines = ()
    everyone: bool = False
    agents: Lines = ()
    queues: Lines = ()
    divisions: Lines = ()
    media_types: Lines = ()
    older_than_days: Days | None = None
    younger_than_days: Days | None = None
    own_calls: bool = False


class _Rule(_About):
    what: Annotated[tuple[Annotated[Right, Field(strict=False)], ...], Field(min_length=1, strict=False)] = ()


class _BreakGlass(_About):
    hours: Annotated[int, Field(ge=1, le=_MOST_HOURS)] = 8


class _Document(_Part):
    name: Line
    grants: Annotated[tuple[_Rule, ...], Field(max_length=_MOST_RULES, strict=False)] = ()
    denials: Annotated[tuple[_Rule, ...], Field(max_length=_MOST_RULES, strict=False)] = ()
    break_glass: Annotated[tuple[_BreakGlass, ...], Field(max_length=_MOST_RULES, strict=False)] = ()
    agents: Annotated[dict[Line, Lines], Field(max_length=_MOST_VALUES)] = {}


_KEYS: dict[str, type[_Part]] = {"": _Document, "grants": _Rule, "denials": _Rule, "breakGlass": _BreakGlass}
_REMEDIES = {
    "missing": "is missing",
    "string_type": "must be text: put it in quotes",
    "int_type": "must be a whole number without quotes, such as 90",
    "bool_type": "must be true or false, without quotes",
    "tuple_type": "must be a list, such as [Sales, Support]",
    "dict_type": "must be keys with values, such as jane: [Jane Doe]",
    "model_type": "must be keys with values, such as name: Sales",
    "enum": f"must be one of {', '.join(Right)}",
    "greater_than_equal": f"must be 1 to {_MOST_DAYS} days",
    "less_than_equal": f"must be 1 to {_MOST_DAYS} days",
    "too_short": "is empty: name at least one value, or leave the key out",
    "too_long": f"has too many entries: at most {_MOST_RULES} rules, and {_MOST_VALUES} values of a field",
}


def read_document(content: bytes, name: str) -> Document:
    """Read and check an access document; ``name`` says where it was read, in errors and as its origin.

    Raise ConfigurationError that names every line that is wrong and what to write there.
    """
    written = strict_yaml.read(content, name)
    if written.value is None:
        raise ConfigurationError(f"{name} is empty: write at least name and grants")
    try:
        document = _Document.model_validate(written.value)
    except ValidationError as error:
        found = [(tuple(each["loc"]), _explain(each)) for each in error.errors(include_url=False)]
        raise _error(name, written, found) from error
    if flaws := list(_flaws(document)):
        raise _error(name, written, flaws)
    version = sha256(content).hexdigest()
    grants, denials, glass = (
        tuple(map(_rule, each)) for each in (document.grants, document.denials, document.break_glass)
    )
    return Document(version, document.name, grants, denials, glass, document.agents, origin=name)


def _rule(written: _About) -> Rule:
    given = {name: value for name, value in written if name not in {"users", "roles", "everyone"}}
    return Rule(**{"what": (Right.LISTEN,), **given}, who=Who(written.users, written.roles, written.everyone))


def _flaws(document: _Document) -> Iterator[tuple[YamlPath, str]]:
    """Yield problems of rules whose values are valid each."""
    if not document.grants:
        yield ("grants",), "it grants nothing, so nobody could see anything: write at least one grant"
    names: set[str] = set()
    kinds: dict[str, tuple[_About, ...]] = {"grants": document.grants, "denials": document.denials}
    for kind, rules in (kinds | {"breakGlass": document.break_glass}).items():
        for number, rule in enumerate(rules):
            if rule.name.casefold() in names:
                yield (kind, number, "name"), f"{rule.name!r} names another rule already: choose another name"
            names.add(rule.name.casefold())
            yield from (((kind, number), f"{rule.name!r} {problem}") for problem in _problems(rule))


def _problems(rule: _About) -> Iterator[str]:
    if not (rule.users or rule.roles or rule.everyone):
        yield _NOBODY
    if isinstance(rule, _Rule) and not rule.what:
        yield _NOTHING
    older, younger = rule.older_than_days, rule.younger_than_days
    if older is not None and younger is not None and older >= younger:
        yield f"is about no recording: none is older than {older} and younger than {younger} days"


def _explain(error: Any) -> str:
    """Explain one validation error in the words of the document."""
    place, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        around = next((part for part in reversed(place[:-1]) if isinstance(part, str)), "")
        return _unknown(str(place[-1]), around)
    remedy = _REMEDIES.get(kind) or str(error["msg"]).removeprefix("Value error, ")
    if place and place[-1] == "hours" and kind in {"greater_than_equal", "less_than_equal"}:
        remedy = f"must be 1 to {_MOST_HOURS}"
    if not place:
        return f"an access document {remedy}"
    if isinstance(place[-1], int):
        return f"item {place[-1] + 1} of {place[-2]} {remedy}"
    return f"{place[-1]} {remedy}"


def _unknown(key: str, around: str) -> str:
    known = [to_camel(name) for name in _KEYS[around].model_fields]
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(key.casefold(), folded, 1)
    guess = f"did you mean {folded[near[0]]}?" if near else f"known are {', '.join(known)}"
    return f"{key[:40]!r} is not known here: {guess}"


def _error(name: str, document: YamlDocument, found: list[tuple[YamlPath, str]]) -> ConfigurationError:
    problems = [f"line {document.line(place)}: {problem}" for place, problem in found[:_MOST_ERRORS]]
    more = [f"and {len(found) - _MOST_ERRORS} more"] if len(found) > _MOST_ERRORS else []
    return ConfigurationError(f"{name}, {'; '.join(problems + more)}")
