#!/usr/bin/env bash
# Train on the GPUs of a Slurm cluster.
# Usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#            tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]
set -euo pipefail
. "$(dirname "$0")/launch_checks.sh"
need_words slurm_train.sh 4 $# 'PARTITION JOB_NAME CONFIG WORK_DIR'
exec "$(dirname "$0")/slurm_run.sh" train.py "$1" "$2" \
    "$3" --work-dir "$4" "${@:5}"
