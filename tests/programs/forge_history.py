"""Rewrite the history of an archive with the standard library alone, as whoever can write its folder may.

One call gets other audio; its sidecar, the manifest, every segment of the ledger and every report are made anew, so
that all of them agree again. Files that vouch for heads go, as they cannot be made without a key.
"""

import gzip
import json
import re
import sys
from hashlib import sha256
from pathlib import Path

HEX = re.compile(rb"[0-9a-f]{64}")
root = Path(sys.argv[1])
swapped: dict[bytes, bytes] = {}


def digest(content: bytes) -> bytes:
    return sha256(content).hexdigest().encode()


def anew(content: bytes) -> bytes:
    return HEX.sub(lambda found: swapped.get(found[0], found[0]), content)


def root_of(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    middle = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha256(b"\1" + root_of(hashes[:middle]) + root_of(hashes[middle:])).digest()


def put(path: Path, content: bytes) -> None:
    swapped[digest(path.read_bytes())] = digest(content)
    path.chmod(0o640)
    path.write_bytes(content)


for mark in (*root.glob("ledger/*.sig"), *root.glob("ledger/*.tsr")):
    mark.unlink()
path = min((root / "recordings").rglob("*.gz"))
media = gzip.decompress(path.read_bytes())
forged = media[:1000] + bytes(byte ^ 0xFF for byte in media[1000:2000]) + media[2000:]
swapped[digest(media)] = digest(forged)
size = len(path.read_bytes())
put(path, gzip.compress(forged, mtime=0))
sidecar = path.with_name(path.name.removesuffix("".join(path.suffixes[-2:])) + ".json")
new_size = b'"bytes": %d' % path.stat().st_size
put(sidecar, anew(sidecar.read_bytes()).replace(b'"bytes": %d' % size, new_size))
previous = b"0" * 64
for segment in sorted(root.glob("ledger/*.jsonl")):
    lines = []
    for line in segment.read_bytes().splitlines(keepends=True):
        for key in json.loads(line).get("detail", {}).get("files", {}):
            document = root / key
            if document != sidecar:
                put(document, anew(document.read_bytes()))
        told = re.sub(rb'(?<=^\{"previous":")[0-9a-f]{64}', previous, anew(line), count=1)
        if b'"root":' in line:
            tree = root_of([sha256(b"\0" + event).digest() for event in lines[1:]])
            told = re.sub(rb'(?<="root":")[0-9a-f]{64}', tree.hex().encode(), told)
        swapped[digest(line)] = previous = digest(told)
        lines.append(told)
    segment.chmod(0o640)
    segment.write_bytes(b"".join(lines))
