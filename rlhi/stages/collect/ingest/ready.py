"""What every worker of the stage `ingest` needs: imported, it is there.

The server that workers are forked from imports this once (:mod:`rlhi.stages.collect.ingest.spread`), so that they
share it in memory and none spends its first second on it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from rlhi.collect.clean import identify

with ThreadPoolExecutor(1) as pool:
    loaded = pool.submit(identify.prepare)  # unpacking the model leaves the interpreter free
    for name in ("rlhi.stages.collect.ingest.pieces", "scipy.sparse"):
        import_module(name)
    loaded.result()
