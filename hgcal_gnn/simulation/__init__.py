"""Parametrised simulation of showers in any cell table whose material is known."""
