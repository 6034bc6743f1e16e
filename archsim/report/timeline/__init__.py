"""What happened when, for a trace viewer: what is recorded, how it is written, and how such a file is checked."""
