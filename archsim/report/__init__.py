"""Results for people and for other programs: terminal summaries, tables on disk, timelines."""
