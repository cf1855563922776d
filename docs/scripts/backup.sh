#!/usr/bin/env bash
# Copy an archive on a local disk and its catalog into a folder:  backup.sh ARCHIVE CATALOG TO
#   ARCHIVE  the folder of RECORDING_ARCHIVE_URL
#   CATALOG  the file catalog.db, or a URL postgresql://user@host/database (the password in PGPASSWORD or ~/.pgpass)
#   TO       a folder on another disk; a later backup into it copies what is new
# Runs may go on meanwhile. The catalog is copied first: whatever the archive gains after that, `reindex` reads from it.
set -euo pipefail
archive=${1:?the folder of the archive} catalog=${2:?catalog.db or a postgresql:// URL} to=${3:?where to}
test -f "$archive/archive.json" || { echo "$archive holds no archive.json: is its volume mounted?" >&2; exit 2; }
umask 077
mkdir -p "$to/archive"
if [[ $catalog == postgres* ]]; then
  pg_dump --format=custom --file="$to/catalog.dump.part" "$catalog"
  mv "$to/catalog.dump.part" "$to/catalog.dump"
else
  rm -f "$to/catalog.db.part"
  python3 - "$catalog" "$to/catalog.db.part" <<'PYTHON'
import sqlite3, sys
with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as source, sqlite3.connect(sys.argv[2]) as copy:
    source.backup(copy)  # consistent while others write
PYTHON
  mv "$to/catalog.db.part" "$to/catalog.db"
fi
# nothing that has its name is ever changed: what is there with the same size is not copied again
rsync --archive --size-only --exclude='.*' "$archive/" "$to/archive/"
if [[ -f ${archive%/}/../erasure.key ]]; then cp -p "${archive%/}/../erasure.key" "$to/"; fi
tail -n 1 "$(find "$to/archive/ledger" -name '*.jsonl' | sort | tail -n 1)" | sha256sum | cut -d ' ' -f 1 \
  | xargs echo "Backed up; keep this ledger head in another place:"
