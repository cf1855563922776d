"""Keep ``python -m recording_archive.set_up`` working; the program is `recording_archive.deploy.set_up`."""

import sys

from recording_archive.deploy.set_up import main

if __name__ == "__main__":
    sys.exit(main())
