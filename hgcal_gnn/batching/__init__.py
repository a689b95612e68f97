"""From stored showers and a cell graph to batches for PyTorch. Everything here needs torch."""
