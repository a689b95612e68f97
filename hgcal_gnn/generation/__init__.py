"""Fast simulation: models that generate showers."""
