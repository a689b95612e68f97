"""Graph models: generators of sparse hits in the cells of any detector."""
