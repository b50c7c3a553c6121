"""The stage ``ingest``: landed logs become conversations, in pieces that several processes can read."""

from rlhi.stages.collect.ingest.stage import ingest

__all__ = ["ingest"]
