"""RLHI: a conversational model that learns from the people who talk to it, every night."""

__version__ = "0.1.0"
