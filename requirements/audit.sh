#!/bin/sh
# Ask the vulnerability database about every locked package. Needs a network.
# Usage: requirements/audit.sh [PYTHON] [OPTION OF pip-audit, as --vulnerability-service osv ...]
set -eu
cd "$(dirname "$0")"
. ./throw_away.sh
[ $# -eq 0 ] || shift

# The lock has all there is to know, so nothing is resolved and nothing installed.
for name in build torch runtime dev tools; do
    set -- "$@" --requirement "lock/$name.txt"
done
"$tools/bin/pip-audit" --strict --require-hashes --disable-pip \
    --progress-spinner off "$@"
