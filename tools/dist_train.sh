#!/usr/bin/env bash
# Train on several GPUs (or, without any, processes) of one or more machines.
# Usage: tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# More machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
. "$(dirname "$0")/launch_checks.sh"
need_words dist_train.sh 2 $# 'CONFIG GPUS'
exec "$(dirname "$0")/dist_run.sh" train.py "$1" "$2" "${@:3}"
