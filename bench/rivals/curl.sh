#!/bin/sh
# curl.sh MANIFEST OUT: what an operator would write. curl, sha256sum and gzip, JOBS files at once, gzip at LEVEL.
# What was downloaded is compared with its checksum. Nothing is synced, and the compressed file is not read back.
set -eu
export OUT="$2" LEVEL="${LEVEL:-6}"
"${PYTHON:-python3}" -c '
import json, sys
for entry in json.load(open(sys.argv[1])):
    print(entry["id"], entry["mediaUrl"], entry["checksum"].lower())
' "$1" |
xargs -P "${JOBS:-8}" -n 3 sh -euc '
    file="$OUT/$1.${2##*.}"
    curl --silent --show-error --fail --retry 3 --output "$file" "$2"
    echo "$3  $file" | sha256sum -c - >/dev/null
    gzip "-$LEVEL" "$file"
' sh
