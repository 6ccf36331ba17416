"""Command line interface."""

import sys

try:
    from gatekeeper.cli.main import main
except KeyboardInterrupt:  # Ctrl-C in the tenth of a second before the command line can catch it
    sys.stderr.write("\ngatekeeper: Interrupted.\n")
    raise SystemExit(130) from None

__all__ = ["main"]
