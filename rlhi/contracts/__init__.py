"""What stages exchange: rows, how they become records and tables, and which turn follows which."""

from rlhi.contracts.codec import SCHEMA_VERSION, content_key, from_record, schema_of, to_record
from rlhi.contracts.compared import Comparison, PairAnswer, PeopleTally
from rlhi.contracts.measured import (
    PAST,
    Account,
    Against,
    AnsweredTest,
    Budget,
    DriftColumn,
    DriftReport,
    EvalResult,
    GateDecision,
    Interval,
    Measurement,
    Panel,
    Spending,
    Verdict,
)
from rlhi.contracts.rows import (
    FEEDBACK_LABELS,
    REATTEMPTS,
    SPEAKERS,
    Claim,
    Conversation,
    FeedbackLabel,
    FeedbackTurn,
    Message,
    Persona,
    Profile,
    Quarantined,
    Role,
    Signal,
    SignalKind,
    ToldClaim,
    Turn,
    Unsafe,
    UserKind,
    WorkspaceTest,
)  # fmt: skip
from rlhi.contracts.taught import (
    Candidate,
    FreshPair,
    JudgedAnswer,
    JudgedSource,
    PairSource,
    PreferencePair,
    Rewrite,
    Sample,
    Side,
)

__all__ = [
    "FEEDBACK_LABELS", "PAST", "REATTEMPTS", "SCHEMA_VERSION", "SPEAKERS", "Account", "Against", "AnsweredTest",
    "Budget", "Candidate", "Claim", "Comparison", "Conversation", "DriftColumn", "DriftReport", "EvalResult",
    "FeedbackLabel", "FeedbackTurn", "FreshPair", "GateDecision", "Interval", "JudgedAnswer", "JudgedSource",
    "Measurement", "Message", "PairAnswer", "PairSource", "Panel", "PeopleTally", "Persona", "PreferencePair",
    "Profile", "Quarantined", "Rewrite", "Role", "Sample", "Side", "Signal", "SignalKind", "Spending", "ToldClaim",
    "Turn", "Unsafe", "UserKind", "Verdict", "WorkspaceTest",
    "content_key", "from_record", "schema_of", "to_record",
]  # fmt: skip
