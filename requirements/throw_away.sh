#!/bin/sh
# Make an environment of requirements/tools.txt, for lock.sh and audit.sh.
# Usage: requirements/throw_away.sh VENV [PYTHON]
set -eu
cd "$(dirname "$0")"
"${2:-python3}" -m venv "$1"
"$1/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps \
    --require-hashes --only-binary :all: -r lock/tools.txt
