"""Count an archive against a sandbox: `ROOT URL` in, JSON out. It shares no code with either.

Files below the root and `GET URL/sandbox/truth` are all that it reads.
"""

import csv
import gzip
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

root, address = Path(sys.argv[1]), sys.argv[2]
with urlopen(f"{address}/sandbox/truth") as reply:  # noqa: S310  # of a test
    truth = {(each["conversationId"], each["recordingId"], each["part"]): each for each in json.load(reply)}

held, wrong, twice = set(), [], []
for path in sorted((root / "recordings").rglob("*.gz")):
    told = json.loads(path.with_name(path.name.rsplit(".", 2)[0] + ".json").read_text())
    name = (told["interactionId"], told["recordingId"], told["part"])
    twice += [name] if name in held else []
    held.add(name)
    with gzip.open(path) as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if name not in truth or truth[name]["sha256"] != digest:
        wrong.append(name)

unbalanced, last, gaps, successes = [], {}, [], Counter()
reports = [(json.loads(path.read_text()), path) for path in (root / "reports").rglob("compliance_report.json")]
for report, path in sorted(reports, key=lambda pair: pair[0]["startedAt"]):
    with path.with_suffix(".csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    counts = Counter(row["status"] for row in rows)
    own = {
        "success": report["successful"],
        "failed": report["failed"],
        "checksum_mismatch": report["checksumErrors"],
        "already_archived": report["alreadyArchived"],
        "excluded": report["excluded"],
        "missing": len(report["missing"]),
        "deferred": report["deferred"],
    }
    if report["asked"] != len(rows) or any(counts[status] != count for status, count in own.items()):
        unbalanced.append(report["runId"])
    for row in rows:
        part = (row["interactionId"], row["recordingId"], int(row["part"]))
        last[part] = last[part[0]] = {"status": row["status"], "error": row["error"]}
        if row["status"] == "success":
            successes[part] += 1
    gaps += (report["listing"] or {}).get("gaps", [])

lacking = []
for name in sorted(truth.keys() - held):
    date = truth[name]["date"]
    told = last.get(name) or last.get(name[0])  # of the part, or of its conversation while its parts are not known
    in_gap = any(gap["start"] <= date.replace("Z", "+00:00") < gap["end"] for gap in gaps)
    lacking.append({"id": name[0], "recording": name[1], "told": told, "inGap": in_gap})
json.dump(
    {
        "held": len(held),
        "wrong": wrong,
        "twice": twice,
        "unbalanced": unbalanced,
        "successes": sorted(successes.values()),
        "lacking": lacking,
    },
    sys.stdout,
)
