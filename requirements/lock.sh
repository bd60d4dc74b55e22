#!/bin/sh
# Write requirements/lock/*.txt: the hash of every file of every package that is pinned
# here, and of what PyTorch and the tools need beside. Needs a network.
# Usage: requirements/lock.sh [PYTHON] [OPTION OF uv pip compile, as --upgrade ...]
set -eu
cd "$(dirname "$0")"
. ./throw_away.sh
[ $# -eq 0 ] || shift

# Pins of what several files need are those of the inputs.
for name in build torch runtime dev tools; do
    case $name in
    torch) needs='--constraint build.txt --constraint runtime.txt' ;;
    tools) needs= ;;
    *) needs=--no-deps ;; # runtime.txt says why
    esac
    echo "lock/$name.txt"
    # --universal: for every machine, aarch64 too.
    # shellcheck disable=SC2086  # several options
    "$tools/bin/uv" pip compile --quiet --no-config --universal --python-version 3.11 \
        --generate-hashes --custom-compile-command 'make lock' \
        $needs "$@" "$name.txt" --output-file "lock/$name.txt"
done
