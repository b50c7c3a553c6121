"""What all tests share: a quiet, offline, small machine, and the real conversations where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything imports torch or Prefect: both read these once. Tests run on every core at a time, each on one thread.
for _name, _value in {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
}.items():
    os.environ.setdefault(_name, _value)

ROOT = Path(__file__).resolve().parent.parent
LONG = "takes minutes: `make test-all` runs it"
NO_DATA = "real data not found: set RLHI_DATA"

# A busy machine is no failure; CI draws the same examples every time.
settings.register_profile("rlhi", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rlhi")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real conversations, ratings and labels: ``RLHI_DATA``, else ``shared/data`` beside the checkout."""
    folder = Path(os.environ.get("RLHI_DATA") or ROOT.parent / "shared" / "data").expanduser()
    if not (folder / "conversations.jsonl.gz").is_file():
        pytest.skip(NO_DATA)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is marked ``long``, unless RLHI_LONG asks for it."""
    if not os.environ.get("RLHI_LONG"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason=LONG))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say last how much was not measured, so that a green run without data does not look like one with it."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        missing = sum("RLHI_DATA" in str(report.longrepr) for report in reporter.getreports("skipped"))
        reporter.write_line(f"{missing} tests skipped for missing data")


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model of about 50,000 weights."""
    from tests.support.tiny import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
