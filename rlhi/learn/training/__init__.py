"""One training: its plan, its rows, its process, its guards, its card."""
