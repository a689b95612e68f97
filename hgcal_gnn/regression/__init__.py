"""From showers to the energy (and direction) of the particle: networks, and the baselines they must beat."""
