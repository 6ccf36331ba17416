"""How fast is it, beside what one would use instead? Ratios of medians, both sides alternating in one run.

Usage: run.py [--quick]
"""

import os
import platform
import sys

import market
import registry
import rehearsal
import scoring
import serving

if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}, Python {platform.python_version()}")
    for part in (market, registry, scoring, serving, rehearsal):
        part.main(quick="--quick" in sys.argv)
