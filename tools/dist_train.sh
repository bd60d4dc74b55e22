#!/usr/bin/env bash
# Train on several GPUs (or, without any, processes) of one or more machines.
# Usage: tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# More machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
exec "$(dirname "$0")/dist_run.sh" train.py "${1:?CONFIG}" "${2:?GPUS}" "${@:3}"
