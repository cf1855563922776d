#!/bin/sh
# tee.sh MANIFEST OUT: nothing is written twice. curl into tee into sha256sum and igzip (or gzip -1), JOBS files at once.
# What was downloaded is compared with its checksum. Nothing is synced, and the compressed file is not read back.
set -eu
export OUT="$2" ZIP="$(command -v igzip || echo gzip)"
"${PYTHON:-python3}" -c '
import json, sys
for entry in json.load(open(sys.argv[1])):
    print(entry["id"], entry["mediaUrl"], entry["checksum"].lower())
' "$1" |
xargs -P "${JOBS:-8}" -n 3 sh -euc '
    pipe="$OUT/$1.pipe"
    mkfifo "$pipe"
    sha256sum <"$pipe" >"$pipe.sum" &
    curl --silent --show-error --fail --retry 3 "$2" | tee "$pipe" | "$ZIP" -1 -c >"$OUT/$1.${2##*.}.gz"
    wait
    read -r found _ <"$pipe.sum"
    rm "$pipe" "$pipe.sum"
    test "$found" = "$3"
' sh
