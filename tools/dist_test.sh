#!/usr/bin/env bash
# Evaluate on several GPUs (or, without any, processes) of one or more machines.
# Usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of tools/test.py]
# More machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
. "$(dirname "$0")/launch_checks.sh"
need_words dist_test.sh 3 $# 'CONFIG CHECKPOINT GPUS'
exec "$(dirname "$0")/dist_run.sh" test.py "$1" "$3" "$2" "${@:4}"
