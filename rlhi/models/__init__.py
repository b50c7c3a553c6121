"""Backends behind two Protocols: whoever needs a model takes a ``ChatModel`` or a ``Scorer``."""
