#!/usr/bin/env bash
# Checks the Go of the guide: each ```go block is a file that gofmt and go vet accept.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v go >/dev/null 2>&1; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo 'check-go: `go` is missing; install Go 1.19 or newer' >&2
        exit 1
    fi
    apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq golang-go >/dev/null 2>&1 || {
        echo 'check-go: `go` is missing, and `apt-get install golang-go` failed' >&2
        exit 1
    }
fi

blocks=$(mktemp -d)
trap 'rm -rf "$blocks"' EXIT

# One folder per block, named by file and line: two blocks would be one package otherwise.
awk -v root="$blocks" '
    FNR == 1 { file = "" }
    file != "" && /^```$/ { close(file); file = ""; next }
    file != "" { print > file; next }
    /^```go$/ {
        name = FILENAME
        gsub(/.*\/|\.md$/, "", name)
        folder = root "/" name "-" FNR
        system("mkdir -p " folder)
        file = folder "/main.go"
        printf "" > file
    }
' runtime/src/guide/*.md

count=0
failed=0
for folder in "$blocks"/*/; do
    [ -d "$folder" ] || continue
    count=$((count + 1))
    name=$(basename "$folder")
    unformatted=$(gofmt -l "$folder") || failed=1
    if [ -n "$unformatted" ]; then
        echo "check-go: $name is not formatted:" >&2
        gofmt -d "$folder" >&2
        failed=1
    fi
    if ! (cd "$folder" && GO111MODULE=off go vet main.go); then
        echo "check-go: go vet refuses $name" >&2
        failed=1
    fi
done

if [ "$count" -eq 0 ]; then
    echo 'check-go: the guide has no block of Go' >&2
    exit 1
fi
echo "$count blocks of Go checked"
exit "$failed"
