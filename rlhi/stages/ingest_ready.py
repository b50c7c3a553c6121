"""What every worker of the stage `ingest` needs: imported, it is there.

The server that workers are forked from imports this once (:mod:`rlhi.stages.spread`), so that they share it in memory
and none spends its first second on it.
"""

from __future__ import annotations

import scipy.sparse

from rlhi.collect import identify
from rlhi.stages import ingest_pieces

__all__ = ["identify", "ingest_pieces", "scipy"]

identify.prepare()
