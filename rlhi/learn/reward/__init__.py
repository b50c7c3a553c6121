"""The reward model: comparisons that the log itself makes, and heads that are told the persona."""
