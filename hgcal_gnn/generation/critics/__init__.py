"""Critics that judge showers as hits on the cell graph, for generators of hits."""
