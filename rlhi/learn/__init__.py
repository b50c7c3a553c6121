"""Learn: rewrites, candidates, a personal reward model, preference pairs, DPO."""
