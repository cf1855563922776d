"""Make a pack of one interaction and throw it away; print its size in bytes and the peak of memory in kB: ID."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from recording_archive.archive import open_archive
from recording_archive.evidence.pack import plan_pack
from recording_archive.evidence.request import Asked
from recording_archive.settings import read_settings

pack = plan_pack(open_archive(read_settings()), Asked("measured", ids=(sys.argv[1],)), "clerk")
for _ in pack.stream():
    pass
assert pack.included == 1
(peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
print(pack.size_bytes, peak)
