"""The GPU model against published measurements: what fits them, and how far off it is where it was not fitted."""
