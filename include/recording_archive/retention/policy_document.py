"""A retention policy as a document: its schema, and errors that name the line and what to write there."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from hashlib import sha256
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from recording_archive.errors import ConfigurationError
from recording_archive.retention import strict_yaml
from recording_archive.retention.rules import ATTRIBUTES, DEFAULT, Policy, Rule
from recording_archive.retention.strict_yaml import MOST_BYTES, YamlDocument, YamlPath

__all__ = ["MOST_BYTES", "MOST_DAYS", "read_policy"]

MOST_DAYS = 36_500
_MOST_RULES, _MOST_VALUES, _MOST_CHARACTERS = 1000, 5000, 200
_MOST_ERRORS = 10  # told at once


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip() or not 0 < len(text) <= _MOST_CHARACTERS:
        raise ValueError(f"must be 1 to {_MOST_CHARACTERS} printable characters, without spaces around them")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
Lines = Annotated[list[Line], Field(min_length=1, max_length=_MOST_VALUES)]
Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class _Attributes(_Part):
    agent_id: Lines = []
    agent_name: Lines = []
    contact_id: Lines = []
    direction: Lines = []
    division: Lines = []
    media_type: Lines = []
    queue_id: Lines = []
    queue_name: Lines = []


class _Rule(_Part):
    name: Line
    days: Days
    maximum: bool = False
    queues: Lines = []
    media_types: Lines = []
    divisions: Lines = []
    directions: Lines = []
    attributes: _Attributes = _Attributes()

    def asked(self) -> dict[str, Any]:
        """Return its criteria as arguments of `Rule`."""
        fields = {name: tuple(getattr(self, name)) for name in ("queues", "media_types", "divisions", "directions")}
        attributes = {name: tuple(getattr(self.attributes, column)) for name, column in ATTRIBUTES.items()}
        given = {name: values for name, values in attributes.items() if values}
        return {name: values for name, values in (*fields.items(), ("attributes", given)) if values}


class _Policy(_Part):
    name: Line
    default_days: Days
    rules: Annotated[list[_Rule], Field(max_length=_MOST_RULES)] = []


_KEYS: dict[str, type[_Part]] = {"": _Policy, "rules": _Rule, "attributes": _Attributes}
_REMEDIES = {
    "missing": "is missing",
    "string_type": "must be text: put it in quotes",
    "int_type": "must be a whole number without quotes, such as 90",
    "bool_type": "must be true or false, without quotes",
    "list_type": "must be a list, such as [Sales, Support]",
    "model_type": "must be keys with values, such as name: Sales",
    "greater_than_equal": f"must be 1 to {MOST_DAYS} days",
    "less_than_equal": f"must be 1 to {MOST_DAYS} days",
    "too_short": "is empty: name at least one value, or leave the key out",
    "too_long": f"has too many entries: at most {_MOST_RULES} rules, and {_MOST_VALUES} values of a field",
}


def read_policy(content: bytes, name: str) -> Policy:
    """Read and check a policy; ``name`` says where it was read, in errors and as its origin.

    Raise ConfigurationError that names every line that is wrong and what to write there.
    """
    document = strict_yaml.read(content, name)
    if document.value is None:
        raise ConfigurationError(f"{name} is empty: write at least name and defaultDays")
    try:
        policy = _Policy.model_validate(document.value)
    except ValidationError as error:
        found = [(tuple(each["loc"]), _explain(each)) for each in error.errors(include_url=False)]
        raise _error(name, document, found) from error
    if flaws := list(_flaws(policy)):
        raise _error(name, document, flaws)
    rules = tuple(Rule(rule.name, rule.days, rule.maximum, **rule.asked()) for rule in policy.rules)
    version = sha256(content).hexdigest()
    return Policy(version, policy.name, policy.default_days, rules, origin=name, document=content)


def _flaws(policy: _Policy) -> Iterator[tuple[YamlPath, str]]:
    """Yield problems of rules whose values are valid each."""
    names = {DEFAULT: "the days that apply where no rule matches"}
    for number, rule in enumerate(policy.rules):
        folded = rule.name.casefold()
        if folded in names:
            yield ("rules", number, "name"), f"{rule.name!r} names {names[folded]}: choose another name"
        names[folded] = f"rule {number + 1} already"
        if not rule.asked():
            some = "queues, mediaTypes, divisions, directions or attributes"
            yield ("rules", number), f"rule {rule.name!r} asks for nothing: name {some}, or set defaultDays"


def _explain(error: Any) -> str:
    """Explain one validation error in the words of the document."""
    place, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        return _unknown(str(place[-1]), next((part for part in reversed(place[:-1]) if isinstance(part, str)), ""))
    remedy = _REMEDIES.get(kind) or str(error["msg"]).removeprefix("Value error, ")
    if not place:
        return f"a policy {remedy}"
    if isinstance(place[-1], int):
        return f"item {place[-1] + 1} of {place[-2]} {remedy}"
    return f"{place[-1]} {remedy}"


def _unknown(key: str, around: str) -> str:
    if around == "attributes" and key.casefold() in ("ani", "dnis"):
        return f"{key} is not for policies, which lie in the archive for good: no number may stand in one; use a hold"
    known = [to_camel(name) for name in _KEYS[around].model_fields]
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(key.casefold(), folded, 1)
    guess = f"did you mean {folded[near[0]]}?" if near else f"known are {', '.join(known)}"
    return f"{key[:40]!r} is not known here: {guess}"


def _error(name: str, document: YamlDocument, found: list[tuple[YamlPath, str]]) -> ConfigurationError:
    problems = [f"line {document.line(place)}: {problem}" for place, problem in found[:_MOST_ERRORS]]
    more = [f"and {len(found) - _MOST_ERRORS} more"] if len(found) > _MOST_ERRORS else []
    return ConfigurationError(f"{name}, {'; '.join(problems + more)}")
