"""Models behind Protocols (`base.py`): they answer, tell likelihoods, embed and score. And what they are told."""
