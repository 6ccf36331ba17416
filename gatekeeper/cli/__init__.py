"""The command line: what may an operator ask for, from a shell?"""

from gatekeeper.cli.main import main

__all__ = ["main"]
