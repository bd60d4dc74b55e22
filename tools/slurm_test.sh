#!/usr/bin/env bash
# Evaluate on the GPUs of a Slurm cluster.
# Usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#            tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
set -euo pipefail
. "$(dirname "$0")/launch_checks.sh"
need_words slurm_test.sh 4 $# 'PARTITION JOB_NAME CONFIG CHECKPOINT'
exec "$(dirname "$0")/slurm_run.sh" test.py "$1" "$2" \
    "$3" "$4" "${@:5}"
