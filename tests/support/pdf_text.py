"""The text of a PDF that Chromium printed, without any blanks: enough to look for an id or a hash in it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

_OBJECT = re.compile(rb"(?<!\d)(\d+) 0 obj\b(.*?)\bendobj", re.DOTALL)
_FONT = re.compile(rb"/(F\d+) (\d+) 0 R")
_SHOWN = re.compile(rb"/(F\d+) [\d.]+ Tf|<([0-9A-Fa-f]+)> ?Tj|\[(.*?)\] ?TJ", re.DOTALL)


def text_of(pdf: bytes) -> str:
    """Read the text of all pages in the order in which it is drawn."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    fonts = {name: _characters(objects, int(number)) for name, number in _FONT.findall(pdf)}
    pages = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]
    contents = [int(number) for body in pages for number in re.findall(rb"/Contents (\d+) 0 R", body)]
    return re.sub(r"\s", "", "".join(piece for number in contents for piece in _shown(_stream(objects[number]), fonts)))


def _shown(content: bytes, fonts: dict[bytes, dict[int, str]]) -> Iterator[str]:
    font: dict[int, str] = {}
    for name, one, several in _SHOWN.findall(content):
        if name:
            font = fonts.get(name, {})
        for digits in [one] if one else re.findall(rb"<([0-9A-Fa-f]+)>", several):
            codes = bytes.fromhex(digits.decode())
            yield "".join(
                font.get(int.from_bytes(codes[at : at + 2]), "\N{REPLACEMENT CHARACTER}")
                for at in range(0, len(codes), 2)
            )


def _characters(objects: dict[int, bytes], font: int) -> dict[int, str]:
    """Read which character each code of a font stands for."""
    match = re.search(rb"/ToUnicode (\d+) 0 R", objects[font])
    if match is None:
        return {}
    table, found = _stream(objects[int(match[1])]), dict[int, str]()
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        for code, text in re.findall(rb"<(\w+)> <(\w+)>", block):
            found[int(code, 16)] = _utf16(text)
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for first, last, text in re.findall(rb"<(\w+)> <(\w+)> <(\w+)>", block):
            for step in range(int(last, 16) - int(first, 16) + 1):
                found[int(first, 16) + step] = chr(int(text, 16) + step)
    return found


def _utf16(digits: bytes) -> str:
    return bytes.fromhex(digits.decode()).decode("utf-16-be", "replace")


def _stream(body: bytes) -> bytes:
    head, _, rest = body.partition(b"stream")
    data = rest.lstrip(b"\r\n")
    return zlib.decompressobj().decompress(data) if b"FlateDecode" in head else data
