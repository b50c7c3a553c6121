"""A workspace on disk: its tables, its locks, its git and DVC repository, and the one writer of versions."""
