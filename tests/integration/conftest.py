"""What the tests of this folder share: one thread, so that what is made twice is the same to the last byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Some tests compare bytes, and on several threads nobody promises in which order sums are made.

    The tiny models of these tests are no slower for it. Processes that the tests start inherit it.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as environment, threadpool_limits(1):
        environment.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)
