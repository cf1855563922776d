"""Keep ``python -m recording_archive.watch`` working; the program is `recording_archive.deploy.watch`."""

import sys

from recording_archive.deploy.watch import main

if __name__ == "__main__":
    sys.exit(main())
