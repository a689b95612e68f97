"""Who is whose neighbour: pure functions from positions and sizes to pairs of rows, and on to compressed rows."""
