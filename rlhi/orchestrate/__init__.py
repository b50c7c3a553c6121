"""The Prefect server of a workspace, what it holds for us, and the processes that end with it."""
