"""Collect: any log in, feedback and personas out."""
