"""Skips as failures in CI (`GATEKEEPER_NO_SKIPS=1`), property tests that run alike on a busy machine, figures in the
summary, and no test's secrets in another."""

import os
from collections.abc import Callable, Generator, Iterator

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


FIGURES = "figures"


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Show a line of measured figures in the summary of the run, from any of its processes."""
    return lambda line: request.node.user_properties.append((FIGURES, line))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    calls = [each for each in terminalreporter.getreports("passed") if each.when == "call"]
    lines = [str(line) for each in calls for name, line in each.user_properties if name == FIGURES]
    if lines:
        terminalreporter.section(FIGURES)
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture(autouse=True)
def _secrets_of_one_test() -> Iterator[None]:
    """What a process has parsed is taken out of all that it shows: another test's words are no secrets of this one."""
    known = [(words, set(words)) for words in (secret_urls._known, secret_urls._sought)]
    yield
    for words, before in known:
        words.intersection_update(before)
