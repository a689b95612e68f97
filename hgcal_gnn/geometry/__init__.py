"""Cells, their outlines and neighbours, and the cell graph. Nothing here needs torch."""
