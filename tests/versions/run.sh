#!/bin/sh
# Run the core part of the tests with other versions of PyTorch, Python and mmcv, in an
# environment that is kept: .venv.PYTHON-TORCH, or with full mmcv
# .venv.PYTHON-TORCH-mmcv. Needs a network once.
# Usage: tests/versions/run.sh TORCH TORCHVISION [PYTHON [MMCV.whl]]
set -eu
cd "$(dirname "$0")/../.."
torch=$1
torchvision=$2
python=${3:-python3}
mmcv=${4:-}

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv=${VERSIONS:-.}/.venv.$version-$torch${mmcv:+-mmcv}
pip="$venv/bin/python -m pip --disable-pip-version-check install --quiet"

if [ ! -e "$venv/.installed" ]; then
    echo "Making $venv ..."
    "$python" -m venv "$venv"
    # What is pinned, or the newest before it that this Python can have.
    sed -n 's/^\([A-Za-z0-9_.-]*\)==\([^ ]*\).*/\1<=\2/p' requirements/build.txt \
        requirements/runtime.txt requirements/dev.txt |
        sed "s/^lazy-importer.*/&; python_version >= '3.11'/" >"$venv/limits.txt"
    grep -E '^(pip|setuptools|Cython|numpy)<' "$venv/limits.txt" >"$venv/build.txt"
    $pip --upgrade -r "$venv/build.txt"
    $pip "torch==$torch" "torchvision==$torchvision" -c "$venv/limits.txt"
    $pip --no-deps --no-build-isolation -r "$venv/limits.txt" -r tests/versions/older.txt
    $pip --no-deps --no-build-isolation --no-index --editable .
    touch "$venv/.installed"
fi
if [ -n "$mmcv" ]; then
    "$venv/bin/python" -m pip --quiet uninstall --yes mmcv-lite
    $pip --no-deps "$mmcv"
fi
"$venv/bin/python" tools/env_info.py 2>/dev/null |
    grep -E '^(Python|PyTorch|TorchVision|mm[a-z-]*|numpy): '
"$venv/bin/python" -m pytest -q @tests/versions/core.txt
