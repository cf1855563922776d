"""YAML (and JSON, which is YAML) without its surprises, and with the line of every value.

YAML 1.1 reads ``NO`` as false, ``2026-01-01`` as a date and ``1:30`` as 90. Here a value is text, a whole number, true
or false, or it is an error that says to put it in quotes. Aliases, which can make a few lines fill the memory, tags,
and keys that are given twice are errors too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from recording_archive.errors import ConfigurationError

MOST_BYTES = 256 * 1024
YamlPath = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")
_ALMOST_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")  # a number to JSON and to YAML 1.2
_ODD = {
    "bool": "a truth value to YAML: put it in quotes if it is text, else write true or false",
    "int": "a number in a notation of YAML's: put it in quotes if it is text, else write its digits alone",
    "float": "a number that is not whole to YAML: put it in quotes if it is text, else write a whole number",
    "null": "no value: give one, or leave the key out",
    "timestamp": "a date to YAML: put it in quotes",
    "merge": "a merge key: write out what it stands for",
    "value": "a key of its own to YAML: put it in quotes",
}


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The value of a document, and the line (from 1) of each place in it."""

    value: Any
    lines: Mapping[YamlPath, int]

    def line(self, place: YamlPath) -> int:
        """Return the line of ``place``, or of the nearest existing place around it."""
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]


def read(content: bytes, name: str) -> YamlDocument:
    """Read a document of at most `MOST_BYTES`; raise ConfigurationError with ``name``, the line and the remedy."""
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"{name} has more than {MOST_BYTES} bytes: is it the right file?")
    reading = _Reading(name)
    try:
        text = content.decode("utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = reading.value(node, ()) if node is not None else None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{name}, line {line}: is not UTF-8: save the file as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigurationError(f"{name}, line {mark.line + 1}: {_explain(error)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError(f"{name}, line {line}: has a character that YAML forbids: remove it") from error
    except RecursionError as error:
        raise ConfigurationError(f"{name} is nested too deeply: is it the right file?") from error
    return YamlDocument(value, reading.lines)


class _Reading:
    """Turns nodes into values; a node met twice is an alias."""

    def __init__(self, name: str) -> None:
        self.lines: dict[YamlPath, int] = {(): 1}
        self._name = name
        self._met: set[int] = set()

    def value(self, node: Any, place: YamlPath) -> Any:
        self._meet(node)
        self.lines.setdefault(place, _line(node))
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.value(item, (*place, number)) for number, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: Any, place: YamlPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            self._meet(key_node)
            key = str(self._scalar(key_node))
            if key in found:
                line = self.lines[(*place, key)]
                raise self._error(key_node, f"the key {key!r} is there already, in line {line}: keep one of them")
            self.lines[(*place, key)] = _line(key_node)
            found[key] = self.value(value_node, (*place, key))
        return found

    def _scalar(self, node: Any) -> str | int | bool:
        kind, text = node.tag.removeprefix(_TAG), node.value
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        if not isinstance(node, yaml.ScalarNode) or (kind != "str" and (not plain or kind not in _ODD)):
            raise self._error(node, f"no {node.tag!r} may stand here: write text, a whole number, true or false")
        if plain and kind == "bool" and text in ("true", "false"):
            return bool(text == "true")
        if plain and kind == "int" and _WHOLE.fullmatch(text):
            return int(text)
        if kind == "str" and not (plain and _ALMOST_NUMBER.fullmatch(text)):
            return self._joined(node)
        raise self._error(node, f"{text[:40]!r} is {_ODD['float' if kind == 'str' else kind]}")

    def _joined(self, node: Any) -> str:
        """Text whose surrogates are joined: JSON writes a character beyond 16 bits as two escapes."""
        try:
            return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as error:
            raise self._error(node, "half a character is escaped here (\\ud800 to \\udfff): write it whole") from error

    def _meet(self, node: Any) -> None:
        if id(node) in self._met:
            raise self._error(node, "what stands here is used again by an alias (*): write it out each time")
        self._met.add(id(node))

    def _error(self, node: Any, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self._name}, line {_line(node)}: {problem}")


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _explain(error: Any) -> str:
    problem = " ".join(part for part in (error.problem, error.context and f"({error.context})") if part)
    if "'\\t'" in problem:
        return f"{problem}: indent by spaces, not by tabs"
    if "single document" in f"{error.context}":
        return "another document begins (---): put each into a file of its own"
    return f"{problem}: not the form of YAML or JSON; check indentation, quotes and brackets around this line"
