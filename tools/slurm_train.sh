#!/usr/bin/env bash
# Train on the GPUs of a Slurm cluster.
# Usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#            tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]
set -euo pipefail
exec "$(dirname "$0")/slurm_run.sh" train.py "${1:?PARTITION}" "${2:?JOB_NAME}" \
    "${3:?CONFIG}" --work-dir "${4:?WORK_DIR}" "${@:5}"
