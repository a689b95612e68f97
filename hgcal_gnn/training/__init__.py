"""Training runs: samples, run folder, trainer, checkpoints and resuming, results."""
