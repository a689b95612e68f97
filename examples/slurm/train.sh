#!/bin/bash
# Train on several GPUs and machines, and go on after every restart:
#
#   sbatch --nodes 2 --gpus-per-node 4 examples/slurm/train.sh configs/regression/hgcal_photon_gcn.yaml runs/photon
#
# Without SLURM it trains on this machine: PROCESSES=2 examples/slurm/train.sh SETTINGS RUN --set train.device=cpu
#SBATCH --job-name=hgcal-gnn-train
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
settings=${1:?settings (.yaml)}
run=${2:?run folder, on a file system that all machines share}
shift 2

nodes=${SLURM_NNODES:-1}
processes=${PROCESSES:-${SLURM_GPUS_ON_NODE:-1}} # on each machine
first=localhost
launch=()
if [ -n "${SLURM_JOB_ID:-}" ]; then
  first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
  launch=(srun --kill-on-bad-exit=1)
fi
port=$((20000 + ${SLURM_JOB_ID:-$$} % 20000))

# --resume begins the run, or goes on from its last epoch or check: the same line serves a requeued job
"${launch[@]}" torchrun --nnodes "$nodes" --nproc-per-node "$processes" \
  --rdzv-backend c10d --rdzv-endpoint "$first:$port" --rdzv-id "${SLURM_JOB_ID:-$$}" \
  -m hgcal_gnn train "$settings" -o "$run" --resume \
  --set train.nodes="$nodes" --set train.devices="$processes" "$@"
