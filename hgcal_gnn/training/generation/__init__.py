"""Training of generators: batches without end, checks by the ruler, the run folder."""
