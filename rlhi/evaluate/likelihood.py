"""Likelihoods of texts of unlike length, and of models with unlike tokenizers."""

from __future__ import annotations


def per_byte(text: str, nats: float) -> float:
    """A log-likelihood by the text's UTF-8 bytes, one at least: as lm-evaluation-harness's ``acc_norm``."""
    return nats / max(1, len(text.encode("utf-8", "surrogatepass")))
