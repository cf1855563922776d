"""One run, a step for each line of standard input: RUN_ID SETTINGS CLOUD."""

import json
import sys
from types import SimpleNamespace

from recording_archive.archive import open_archive
from recording_archive.archiving.request import Request
from recording_archive.settings import Settings
from support.whole_run import DAY, Tasks

run_id, settings, cloud = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
archive, tasks = open_archive(Settings.model_validate_json(settings)), Tasks(SimpleNamespace(**cloud))
batches = tasks.query(archive, run_id, Request(window=DAY))
for step in ("download", "gzip"):
    print("ready", flush=True)
    sys.stdin.readline()
    for batch in batches:
        getattr(tasks, step)(archive, run_id, batch.number)
print("ready", flush=True)
sys.stdin.readline()
print(tasks.report(archive, run_id).summary.report_key)
