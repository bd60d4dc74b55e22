#!/usr/bin/env bash
# What slurm_train.sh and slurm_test.sh share: srun, a task for each GPU.
# Usage: tools/slurm_run.sh SCRIPT PARTITION JOB_NAME [arguments of the script]
set -euo pipefail
. "$(dirname "$0")/launch_checks.sh"
script=$1 partition=$2 job=$3
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
need_number GPUS "$gpus"
need_number GPUS_PER_NODE "$per_node"
need_file config "$4"
command -v srun >/dev/null || fail 'srun not found: this is no Slurm cluster; use tools/dist_*.sh'
per_node=$((gpus < per_node ? gpus : per_node))
((gpus % per_node == 0)) || fail "GPUS=$gpus is no multiple of GPUS_PER_NODE=$per_node"
# SRUN_ARGS are several words on purpose.
# shellcheck disable=SC2086
exec srun --partition="$partition" --job-name="$job" \
    --gres="gpu:$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/$script" "${@:4}" --launcher slurm
