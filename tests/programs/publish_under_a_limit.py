"""Publish an object while no file may be larger than 100,000 bytes: ROOT WRITES SIZE."""

import resource
import sys
from pathlib import Path

from recording_archive.errors import StoreError
from recording_archive.store.local import LocalStore

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store = LocalStore(Path(sys.argv[1]))
try:
    with store.begin("d/x.gz") as draft:
        for _ in range(int(sys.argv[2])):
            draft.file.write(b"x" * int(sys.argv[3]))
        draft.seal()
        draft.publish()
except StoreError as error:
    print(error)
