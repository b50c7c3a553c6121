"""Which language a conversation is in, where its log does not say."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from rlhi.contracts import Turn
from rlhi.lexicons.languages import CODES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Characters of the user's text that are looked at, and how sure the answer has to be. The beginning mostly tells;
# code, lists and key mashing never do. The time this takes grows with the characters: of 1,523 logged conversations
# 150 told as many right as 300 (0.988 and 0.987 of those that could be told).
SAMPLES = ((150, 0.9), (1000, 0.5))
MIN_LETTERS = 20
AT_ONCE = 2000  # texts: some tens of megabytes


def identify(conversations: Sequence[Sequence[Turn]]) -> list[str | None]:
    """The ISO 639-1 codes of users' texts, of :data:`rlhi.lexicons.languages.CODES`; None where it cannot be told.

    The assistant is not asked: it answers in whatever language the user asked for. Many conversations at once take a
    tenth of the time for each: the model's automaton goes through all of them in step.
    """
    return [code for at in range(0, len(conversations), AT_ONCE) for code in _codes(conversations[at : at + AT_ONCE])]


def prepare() -> None:
    """Load the model, which takes half a second, before it is asked."""
    _automaton()


def _codes(conversations: Sequence[Sequence[Turn]]) -> list[str | None]:
    found: list[str | None] = [None] * len(conversations)
    texts = [_said(turns) for turns in conversations]
    open_ = [place for place, text in enumerate(texts) if text]
    for characters, least in SAMPLES:
        if not open_:
            break
        languages, sure = _classified([texts[place][:characters] for place in open_])
        for place, language, probability in zip(open_, languages, sure, strict=True):
            if probability >= least:
                found[place] = language
        open_ = [place for place in open_ if found[place] is None]
    return found


def _said(turns: Sequence[Turn]) -> str:
    """The beginning of what the user says; empty where it has too few letters."""
    longest, _ = SAMPLES[-1]
    said = "\n".join([turn.content[:longest] for turn in turns if turn.role == "user"])[:longest]
    begins = said[: 3 * MIN_LETTERS]  # mostly enough
    enough = sum(map(str.isalpha, begins)) >= MIN_LETTERS or sum(map(str.isalpha, said)) >= MIN_LETTERS
    return said if enough else ""


def _classified(texts: Sequence[str]) -> tuple[list[str], list[float]]:
    """The languages of texts and how sure that is: py3langid's ``classify`` with ``norm_probs``, for many at once."""
    import numpy as np
    from scipy.sparse import csr_array

    model, automaton = _identifier(), _automaton()
    raw = [model._encode(text) for text in texts]
    lengths = np.array([len(one) for one in raw])
    order = np.argsort(-lengths, kind="stable")  # the longest first: those still going on stand together
    letters = np.zeros((len(raw), max(int(lengths.max()), 1)), dtype=np.uint8)
    for row, place in enumerate(order.tolist()):
        letters[row, : len(raw[place])] = np.frombuffer(raw[place], dtype=np.uint8)
    going = (lengths[order][:, None] > np.arange(letters.shape[1])).sum(axis=0)
    state = np.zeros(len(raw), dtype=np.int64)
    features = np.full(letters.shape, -1, dtype=np.int64)
    for at, count in enumerate(going.tolist()):
        state[:count] = automaton.next[automaton.row[state[:count]] + letters[:count, at]]
        features[:count, at] = automaton.output[state[:count]]
    rows, columns = np.nonzero(features >= 0)
    size = model.nb_ptc.shape[0]
    seen, times = np.unique(rows * size + features[rows, columns], return_counts=True)
    shape = (len(raw), size)
    counts = csr_array((np.log1p(times.astype(np.float32)), (seen // size, seen % size)), shape=shape)
    scores = counts @ model.nb_ptc + model.nb_pc
    scores[np.diff(counts.indptr) == 0] = 0  # no feature: all languages alike
    scores /= np.sqrt(np.maximum(lengths[order], 1))[:, None]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    for one, other in model._alias_pairs:
        scores[:, one] += scores[:, other]
        scores[:, other] = 0
    best = np.empty(len(raw), dtype=np.int64)
    sure = np.empty(len(raw))
    best[order], sure[order] = scores.argmax(axis=1), scores.max(axis=1)
    return [model.nb_classes[one] for one in best.tolist()], sure.tolist()


class _Identifier(Protocol):
    """What we use of py3langid's ``LanguageIdentifier``."""

    nb_ptc: NDArray[np.floating[Any]]
    nb_pc: NDArray[np.floating[Any]]
    nb_classes: Sequence[str]
    tk_nextmove: Sequence[int]
    tk_row: Sequence[int]
    tk_output: Sequence[int]
    _alias_pairs: Sequence[tuple[int, int]]

    def _encode(self, text: str) -> bytes: ...

    def classify(self, text: str) -> tuple[str, float]: ...


class _Automaton:
    """The model's automaton over bytes as arrays: the row of a state, the next state, the feature that it ends."""

    def __init__(self, model: _Identifier) -> None:
        import numpy as np

        self.next = np.asarray(model.tk_nextmove)
        self.row = np.asarray(model.tk_row, dtype=np.int64) << 8
        self.output = np.asarray(model.tk_output, dtype=np.int64)


@cache
def _automaton() -> _Automaton:
    return _Automaton(_identifier())


@cache
def _identifier() -> _Identifier:
    import numpy as np

    # An instance of our own, loaded on first use: `rlhi.checks.form` asks the same model about fewer languages.
    langid = import_module("py3langid.langid")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(CODES.values()))
    found: _Identifier = identifier
    # Rows of this table are read by the hundred for each text: whole, and in the type that they are computed in.
    found.nb_ptc = np.ascontiguousarray(found.nb_ptc, dtype=np.float32)
    return found
