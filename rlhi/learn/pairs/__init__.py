"""From answers to preference pairs: rewrites and candidates, what may teach, who is served by what, edits."""
