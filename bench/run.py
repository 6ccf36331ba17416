"""Benchmarks: runs every part, stores its figures, and writes docs/why/benchmarks.md.

The page is written of the newest figures of each part, so one can be measured again alone. Each runs in a process of
its own: what one leaves behind, such as a heap grown large, changes the next one's figures. A part that fails is named,
and the others go on; its former figures stay. `--quick` proves that everything runs: in one process, no peer's server
starts, nothing is kept, and the page goes to a folder that is removed again.

Usage: run.py [--quick] [--only PART]... [--page]
"""

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from kept import HOUSE, Kept, keep, machine, read, versions
from page import cells, written
from results import Result

SUBJECTS = ("replay", "judging", "registry", "serving", "airflow", "judgement")
"""A folder a subject."""

PARTS = {
    "replays": "bars to Sharpe beside vectorbt and backtesting.py, and their memory",
    "market": "indicators beside TA-Lib",
    "reading": "files recognised and read, beside the bare reader",
    "data_checks": "data checks beside the replay of the same bars",
    "judges": "a million ideas judged, beside scikit-learn and empyrical-reloaded",
    "fits": "training and export beside the fit alone",
    "registry": "register, promote, primary, page of models beside MLflow's, on SQLite and PostgreSQL",
    "races": "eight processes that promote, beside MLflow's aliases and stages",
    "starts": "the command line's start, and a server's to its first score, beside MLflow and MLServer",
    "scoring": "one row in process beside bare onnxruntime and scikit-learn",
    "serving": "requests a second beside bare FastAPI and MLServer",
    "dags": "DAG files parsed, and the weekly run's own time beside Airflow's",
    "rehearsal": "520 Mondays rehearsed, beside as many weekly runs",
    "growth": "what one more bar and one more decision cost",
}
"""Modules in the subjects' folders, each with `main(quick=...)`, in the order of their runs, and what each is for."""
KEPT = HOUSE / "build" / "bench-results"


def main() -> int:
    """Returns 1 if a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="does everything run?")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; again for more")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page of what is kept")
    words = parser.parse_args()
    _reach(SUBJECTS)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # processes that start shall not compile what they import anew
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if words.quick else KEPT
        parts = () if words.page else words.only or PARTS
        measure = partial(measured, quick=True) if words.quick else apart
        failed = [part for part in parts if not measure(part, folder)]
        page = written(read(folder, PARTS), PARTS, Path(scratch) if words.quick else HOUSE / "docs")
    print(f"{page.name}: written" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _reach(folders: Sequence[str]) -> None:
    """Put the folders of the parts on the path of this process and of those that it starts."""
    here = Path(__file__).parent
    places = [str(here), *(str(here / folder) for folder in folders)]
    sys.path[1:1] = places[1:]
    os.environ["PYTHONPATH"] = os.pathsep.join([*places, *filter(None, [os.environ.get("PYTHONPATH")])])


def apart(part: str, folder: Path) -> bool:
    """In a process of its own, whether it went through."""
    process = get_context("spawn").Process(target=_ended, args=(part, folder))
    process.start()
    process.join()
    return process.exitcode == 0


def _ended(part: str, folder: Path) -> None:
    sys.exit(not measured(part, folder, quick=False))


def measured(part: str, folder: Path, *, quick: bool) -> bool:
    """Whether it went through; if so, its figures are kept."""
    began, load, start = datetime.now(UTC), os.getloadavg()[0], time.perf_counter()
    try:
        results = import_module(part).main(quick=quick)
    except (Exception, SystemExit):  # noqa: BLE001  # whatever a peer does, the other parts are measured
        print(f"{part}: failed", traceback.format_exc(), sep="\n", file=sys.stderr)
        return False
    took, loads = time.perf_counter() - start, (load, os.getloadavg()[0])
    keep(Kept(part, began.isoformat(timespec="minutes"), took, loads, machine(), versions(), results), folder)
    show(part, results)
    return True


def show(part: str, results: list[Result]) -> None:
    """What will be on the page, a line each."""
    print(f"{part}:")
    for each in results:
        work, size, peer, ours, its, ratio, quartiles, target, met = cells(each)
        if not ours:
            print(f"  {each.section}: {work}, {peer}: {each.note}")
            continue
        beside = f", {peer} {its}: {ratio}" if peer else ""
        print(f"  {each.section}: {work}, {size}: {ours}{beside} ({quartiles or 'one round'})", end="")
        print(f"; {target}: {met}" if target else "", flush=True)


if __name__ == "__main__":
    sys.exit(main())
