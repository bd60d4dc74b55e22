# Sourced by lock.sh and audit.sh, here: an environment of requirements/tools.txt in
# $tools, removed when they end. $1, if given, is the Python to make it with.
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${1:-python3}" -m venv "$tools"
"$tools/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps \
    --require-hashes --only-binary :all: -r lock/tools.txt
