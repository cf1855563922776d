"""Prove the archive in the folder that is given, then print the modules that were loaded for it."""

import sys

from recording_archive.cli import main

try:
    main(["verify-ledger", sys.argv[1]])
finally:
    print(*sys.modules)
