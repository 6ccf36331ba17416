"""Command line interface."""

from gatekeeper.cli.main import main

__all__ = ["main"]
