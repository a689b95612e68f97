#!/bin/bash
# Run a command of hgcal-gnn on many machines with Dask: one scheduler, one worker process per core.
#
#   sbatch --nodes 4 --ntasks-per-node 32 examples/slurm/dask.sh convert '/data/*.root' --graph hgcal.safetensors -o all.arrow
#
# Without SLURM it starts WORKERS=2 processes here. Repeat a job that was ended: it goes on with the parts that are missing.
#SBATCH --job-name=hgcal-gnn-dask
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=3G
#SBATCH --time=04:00:00
set -euo pipefail
folder=$(mktemp -d "${TMP_SHARED:-$PWD}/.dask.XXXXXX") # all machines must see it
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
export OMP_NUM_THREADS=1

dask scheduler --port 0 --no-dashboard --scheduler-file "$folder/scheduler.json" >"$folder/scheduler.log" 2>&1 &
until [ -s "$folder/scheduler.json" ]; do sleep 0.5; done
worker=(dask worker --scheduler-file "$folder/scheduler.json" --nthreads 1 --no-dashboard --local-directory "${TMPDIR:-/tmp}")
if [ -n "${SLURM_JOB_ID:-}" ]; then
  srun "${worker[@]}" >"$folder/workers.log" 2>&1 &
else
  "${worker[@]}" --nworkers "${WORKERS:-2}" >"$folder/workers.log" 2>&1 &
fi
address=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$folder/scheduler.json")

hgcal-gnn "$@" --scheduler "$address"
