#!/bin/sh
# Make a virtual environment with the locked set of packages and this project in it.
# Usage: requirements/install.sh VENV [PYTHON]
set -eu
cd "$(dirname "$0")/.."
venv=$1
python=${2:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    echo "error: the tested set is pinned for Python 3.11, and '$python' is" \
        "$("$python" --version 2>&1): give another with 'make PYTHON=python3.11 ...'" >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "error: '$python' lacks its venv module: install python3-venv" >&2
    exit 2
fi

# pip says nothing while it unpacks several gigabytes; this does.
(
    seconds=0
    while sleep 8; do
        seconds=$((seconds + 8))
        echo "  ... still installing ($seconds s)"
    done
) &
trap 'kill $! 2>/dev/null' EXIT

echo "Making $venv and installing PyTorch (several GB with its CUDA libraries) ..."
"$python" -m venv "$venv"
# Only files with a hash that the lock holds, and nothing that the lock does not name. What
# is built from source is built with what is there by then.
install() {
    "$venv/bin/python" -m pip --disable-pip-version-check install --no-deps \
        --no-build-isolation "$@"
}
install --require-hashes -r requirements/lock/build.txt
install --require-hashes -r requirements/lock/torch.txt
echo 'Installing OpenMMLab and what it needs ...'
install --require-hashes -r requirements/lock/runtime.txt -r requirements/lock/dev.txt
install --no-index --editable .
