"""Where a network sits on a chip: stages, crossbar tiles, replicas, placement."""
