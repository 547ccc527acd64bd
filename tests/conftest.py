"""Rules for every test: helpers are found by name, and in CI a skip is a failure."""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

HOUSE = str(Path(__file__).parents[1])
if HOUSE not in sys.path:  # `from tests.e2e.sink import Sink` works for the program `pytest` too
    sys.path.insert(0, HOUSE)

Report = pytest.TestReport | pytest.CollectReport


def fail_where_skips_are_forbidden(report: Report) -> None:
    """Turn a skip into a failure where REQUIRE_ALL=1 says that nothing may be left out."""
    if os.environ.get("REQUIRE_ALL") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"REQUIRE_ALL=1 allows no skip, but {report.nodeid} was left out: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fail_where_skips_are_forbidden(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_where_skips_are_forbidden(report)
    return report
