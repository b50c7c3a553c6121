"""Simulate: users with hidden, checkable wishes who talk to the model and complain."""

from rlhi.simulate.dialogue import SimulatedConversation, TruthRow, simulate
from rlhi.simulate.log import write_log
from rlhi.simulate.requests import conversation_requests, evaluation_requests
from rlhi.simulate.users import SimulatedUser, SimulatorConfig, WishRow, make_users, wish_rows

__all__ = [
    "SimulatedConversation",
    "SimulatedUser",
    "SimulatorConfig",
    "TruthRow",
    "WishRow",
    "conversation_requests",
    "evaluation_requests",
    "make_users",
    "simulate",
    "wish_rows",
    "write_log",
]
