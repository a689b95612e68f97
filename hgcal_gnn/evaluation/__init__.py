"""How showers and regressors are judged: observables, resolution; needs no torch."""
