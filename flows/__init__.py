"""Thin Prefect flows: they decide when; a stage decides where, a wing decides what."""
