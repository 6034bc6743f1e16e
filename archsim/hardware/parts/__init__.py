"""The parts of a chip: what each is described by in a file, and what it costs as a `Component`."""
