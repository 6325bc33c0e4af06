#!/bin/bash
# One command on as many machines as the array has tasks; they share its shards (docs/operations.md, "Several machines").
#
#   sbatch --array=0-9 deployments/slurm.sh mien prepare /data/photos --set team --root /data/root
#   sbatch --array=0-9 deployments/slurm.sh mien augment --identities team --expressions team --root /data/root \
#     --model models:/mien-generator/3
#
# Every task sees photos and root under the same address, and has the same version of mien.
#SBATCH --job-name=mien
#SBATCH --array=0-9
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=4G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --output=mien-%A_%a.log
# A minute before the time is over: mien gives its shards back to the others and ends.
#SBATCH --signal=B:TERM@60
set -euo pipefail

export OMP_NUM_THREADS=1
# Prefect's database of one task is no other's: home folders are shared, and SQLite locks them.
export PREFECT_HOME="${TMPDIR:-/tmp}/mien-prefect-${SLURM_JOB_ID:-$$}"

exec "$@" --workers "${SLURM_CPUS_PER_TASK:-1}"
