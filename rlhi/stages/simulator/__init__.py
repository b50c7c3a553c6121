"""Simulated users in a workspace: they talk, what they truly wish, and how much of it was recovered."""
