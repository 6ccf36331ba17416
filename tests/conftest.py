"""Skips as failures in CI (`GATEKEEPER_NO_SKIPS=1`), property tests that run alike on a busy machine, and no test's
secrets in another."""

import os
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from gatekeeper import secret_urls

hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("GATEKEEPER_NO_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _secrets_of_one_test() -> Iterator[None]:
    """What a process has parsed is taken out of all that it shows: another test's words are no secrets of this one."""
    known = [(words, set(words)) for words in (secret_urls._known, secret_urls._sought)]
    yield
    for words, before in known:
        words.intersection_update(before)
