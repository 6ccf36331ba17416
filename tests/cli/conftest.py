"""A shell in a folder of its own, for every test of the command line."""

import pytest
from command_shell import Shell, bare
from site_fixtures import tried_once

__all__ = ["bare", "shell", "tried_once"]


@pytest.fixture
def shell(bare: Shell) -> Shell:
    """The same with its tables made."""
    assert bare("db", "upgrade")[0] == 0
    return bare
