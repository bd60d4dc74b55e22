#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: torchrun with the usual variables.
# Usage: tools/dist_run.sh SCRIPT CONFIG GPUS [arguments of the script]
set -euo pipefail
. "$(dirname "$0")/launch_checks.sh"
script=$1 config=$2 gpus=$3
need_number GPUS "$gpus"
need_file config "$config"
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$gpus" \
    "$(dirname "$0")/$script" "$config" "${@:4}" --launcher pytorch
