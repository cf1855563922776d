"""Fetch BASE/m to TARGET, which must leave so many bytes free, and print the peak of memory: BASE TARGET RESERVE.

A target that ends in ``.gz`` is packed.
"""

import resource
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits
from recording_archive.transfer.transfer import MediaRequest, Transfer

base, target = sys.argv[1], Path(sys.argv[2])
hosts = MediaHosts([urlsplit(base).netloc], True)
client = MediaClient(hosts, TransferLimits(free_space_reserve_bytes=int(sys.argv[3])), stop=threading.Event())
packed = target.suffix == ".gz"
Transfer(client, MediaRequest("i~r~0", base + "/m", target, None, lambda: base + "/m", packed=packed)).run()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
