#!/bin/bash
# One training on the GPUs of one machine or several (docs/operations.md, "A training on several devices").
#
#   sbatch --nodes=2 deployments/slurm-train.sh mien train --set team --minutes 600 --root /data/root
#
# Every machine sees the root under the same address, and has the same version of mien. Prefect and MLflow are in the
# first process alone.
#SBATCH --job-name=mien-train
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --output=mien-train-%j.log
#SBATCH --signal=B:TERM@60
set -euo pipefail

export PREFECT_HOME="${TMPDIR:-/tmp}/mien-prefect-${SLURM_JOB_ID:-$$}"
export MASTER_ADDR="${MASTER_ADDR:-$(hostname)}"
export MASTER_PORT="${MASTER_PORT:-29500}"

# Each machine starts its processes; the first one of the first machine leads.
exec srun --kill-on-bad-exit=1 bash -c 'exec torchrun --nnodes "${SLURM_NNODES:-1}" --node-rank "${SLURM_NODEID:-0}" \
  --nproc-per-node "${SLURM_GPUS_ON_NODE:-1}" --master-addr "$MASTER_ADDR" --master-port "$MASTER_PORT" --no-python "$@"' \
  torchrun "$@"
