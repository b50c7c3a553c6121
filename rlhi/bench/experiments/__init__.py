"""Experiments on simulated users: does each part of the method do what it is there for?

An experiment is a row of :data:`rlhi.bench.experiments.catalogue.CATALOGUE`: a question, and arms that differ in some
parameters. Arms of one seed are forks of one world, so they share users, conversations and sampled text; where the
users themselves differ (noise, collusion), so do the worlds.
"""
