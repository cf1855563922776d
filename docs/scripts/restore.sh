#!/usr/bin/env bash
# Put a backup of backup.sh in place:  restore.sh FROM ARCHIVE CATALOG
# Refuses to write over what is there. Afterwards `recording-archive reindex` reads what the catalog's copy is behind by.
set -euo pipefail
from=${1:?the folder of the backup} archive=${2:?the folder of the archive} catalog=${3:?catalog.db or a postgresql:// URL}
test -f "$from/archive/archive.json" || { echo "$from holds no backup" >&2; exit 2; }
if [[ -e $archive && -n $(ls -A "$archive") ]]; then echo "$archive is not empty: move it away first" >&2; exit 2; fi
umask 077
if [[ $catalog == postgres* ]]; then
  pg_restore --clean --if-exists --no-owner --dbname="$catalog" "$from/catalog.dump"
else
  for file in "$catalog" "$catalog-wal" "$catalog-shm"; do
    if [[ -e $file ]]; then echo "$file is there: move it away first" >&2; exit 2; fi
  done
  mkdir -p "$(dirname "$catalog")"
  cp "$from/catalog.db" "$catalog"
fi
mkdir -p "$archive"
rsync --archive "$from/archive/" "$archive/"
if [[ -f $from/erasure.key ]]; then cp -p "$from/erasure.key" "${archive%/}/.."; fi
echo "Restored. Next: recording-archive reindex && recording-archive verify-ledger --objects"
