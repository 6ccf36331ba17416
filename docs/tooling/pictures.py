"""Every picture of the documentation again, in Chromium, light and dark: `make pictures`.

Report and rehearsal come from a registry that is made here, on the demo's bars. What shows Airflow comes from the
journey through its pages that the tests make, on a machine of `make up`. The drawings bench-*.svg and judgement-*.svg
are not made here: `make bench` and `make bench-judgement` draw them from their figures.

Usage: pictures.py [report] [rehearsal] [airflow] [backfill]     (default: all)
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

HOUSE = Path(__file__).parents[2]
sys.path.insert(0, str(HOUSE / "tests" / "support"))

from airflow_server import ENDED, until  # noqa: E402  # what the tests have for it
from chromium import chromium, pictured  # noqa: E402
from up_machine import machine  # noqa: E402
from weekly_house import House  # noqa: E402

DOCS = HOUSE / "docs"
WEEKLY = "gatekeeper_weekly"
RECIPE = "hist_gradient_boosting"
FIRST = datetime(2018, 11, 5, 2, tzinfo=UTC)
WEEKS = 4  # the fourth Monday promotes: its report has two models, and a gain
REHEARSED_FROM = "2016-01-04"


def report(folder: Path) -> None:
    """The report of the last of these Mondays, down to four of its charts."""
    house = House(folder, "demo:")
    for week in range(WEEKS):
        house.week(FIRST + timedelta(weeks=week), recipe=RECIPE)
    (page, *_) = house.registry.evaluations()
    shown(Path(str(page.report)), DOCS / "report", until=".charts figure >> nth=3")


def rehearsal(folder: Path) -> None:
    """The page of three years of Mondays, down to what each policy did."""
    page = folder / "rehearsal.html"
    own = {name: value for name, value in os.environ.items() if not name.startswith("GATEKEEPER_")}
    command = [Path(sys.executable).parent / "gatekeeper", "rehearse", "--from", REHEARSED_FROM, "--report", page]
    subprocess.run(command, env={**own, "GATEKEEPER_RECIPE": RECIPE}, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    shown(page, DOCS / "pictures" / "rehearsal", until="table >> nth=1")


def airflow(_: Path) -> None:
    """Forms, log, console in Airflow's frame: taken by the journey on its way."""
    kept = Path(tempfile.gettempdir()) / "gatekeeper"  # the log shows where: not below anyone's home
    command = [sys.executable, "-m", "pytest", "-q", "--basetemp", kept, "tests/end_to_end/test_journey.py"]
    subprocess.run(command, cwd=HOUSE, env={**os.environ, "GATEKEEPER_PICTURES": str(DOCS / "pictures")}, check=True)


def backfill(folder: Path) -> None:
    """Four Mondays done by one backfill, in Airflow's list of runs."""
    last = FIRST + timedelta(weeks=WEEKS)
    days = {"from_date": f"{FIRST:%Y-%m-%d}T00:00:00Z", "to_date": f"{last - timedelta(days=6):%Y-%m-%d}T00:00:00Z"}
    with machine(folder, GATEKEEPER_RECIPE=RECIPE) as started:
        place = started.up()
        place.call("POST", "/api/v2/backfills", {"dag_id": WEEKLY, **days, "max_active_runs": 1})
        place.call("PATCH", f"/api/v2/dags/{WEEKLY}", {"is_paused": False})

        def ended(number: int) -> bool:
            states = [state for kind, state in place.runs().values() if kind == "backfill"]
            return sum(state in ENDED for state in states) >= number

        def complete() -> bool:
            backfills = place.call("GET", f"/api/v2/backfills?dag_id={WEEKLY}")["backfills"]
            return all(each["completed_at"] for each in backfills)

        for number in range(1, WEEKS + 1):  # each week has the whole patience
            until(partial(ended, number), f"week {number} of the backfill ends", lambda: str(place.runs()))
        until(complete, "Airflow says that the backfill is complete")
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1440, "height": 760})
            page.goto(f"{place.airflow}/dags/{WEEKLY}/runs")
            page.get_by_label("Username").fill(place.user)
            page.get_by_label("Password").fill(place.password)
            page.get_by_role("button", name="Sign in").click()
            page.get_by_text("Backfill", exact=True).nth(WEEKS - 1).wait_for()
            pictured(page, DOCS / "pictures" / "backfill")


def shown(page: Path, place: Path, *, until: str) -> None:
    """The page in its whole width, from its top to the end of the element `until`."""
    with chromium() as browser:
        opened = browser.new_page(viewport={"width": 1120, "height": 900})
        opened.goto(page.as_uri())
        box = opened.locator(until).first.bounding_box()
        if box is None:
            raise SystemExit(f"{page} shows no {until}: the picture would be of something else")
        opened.set_viewport_size({"width": 1120, "height": round(box["y"] + box["height"]) + 24})
        pictured(opened, place)


MADE: dict[str, Callable[[Path], None]] = {
    "report": report,
    "rehearsal": rehearsal,
    "airflow": airflow,
    "backfill": backfill,
}


def main() -> None:
    """Makes those that are named, or all."""
    for name in sys.argv[1:] or MADE:
        with tempfile.TemporaryDirectory() as folder:
            MADE[name](Path(folder))
            print(f"{name}: done", flush=True)


if __name__ == "__main__":
    main()
