#!/usr/bin/env bash
# The instructions of short workloads, under valgrind: no more of them than were committed.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
fi

if ! command -v valgrind >/dev/null 2>&1; then
    {
        "${as_root[@]}" apt-get update -qq >/dev/null &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq valgrind >/dev/null
    } || {
        echo 'instructions: `valgrind` is missing, and `apt-get install valgrind` failed' >&2
        exit 1
    }
fi

cargo bench --quiet -p cancel-context --locked --bench instructions -- --check
