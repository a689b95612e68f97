"""One ruler for all generators: samples of showers against a reference, everything measured, in one report."""
