"""Registry for the console's tests, made once: three Mondays, a rollback, a hold, a missing file."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pandas as pd
import pytest
from console_house import EVIL, PATIENCE, Insider, console, served
from model_files import constant_model
from registry_site import OWN, Site, own_model
from weekly_data import write_ideas
from weekly_house import NOW, House

from gatekeeper.pipeline.monitoring.monitor import monitor

FIRST = datetime(2016, 1, 4, 2, tzinfo=UTC)
BETTER = datetime(2018, 1, 8, 2, tzinfo=UTC)
KEPT = datetime(2018, 1, 15, 2, tzinfo=UTC)
THREE_DAYS = datetime(2018, 1, 11, 2, tzinfo=UTC)
HALF_A_YEAR = datetime(2018, 7, 30, 2, tzinfo=UTC)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model 1 is the primary again; 2 was rolled back from; 3 was kept out; 4 is somebody else's, its file gone."""
    folder = tmp_path_factory.mktemp("furnished")
    data = write_ideas(folder / "ideas.csv", start="2012-01-02", end="2018-01-12", edge_from="2016-01-04", seed=7)
    house = House(folder, data)
    with house.registry as registry:
        verdicts = [house.week(FIRST), house.week(BETTER), house.week(KEPT, policy="proven")]
        assert [verdict["promoted"] for verdict in verdicts] == [True, True, False]
        registry.rollback(actor="ann", reason="live drawdown looks wrong")
        registry.hold(actor="bob", reason="holiday week")
        registry.register(constant_model(0.4), note=f"from a colleague {EVIL}")
        (folder / "models" / "gatekeeper_4.onnx").unlink()
    return folder


@pytest.fixture(scope="session")
def furnished(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, where consoles have it open: a database in use is not to be copied."""
    return shutil.copytree(pristine, tmp_path_factory.mktemp("shown") / "house")


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checks of a primary with a model before it and one standing by: after three days, and after half a year.

    From February 2018 on the ideas have another RSI and nothing else.
    """
    folder = tmp_path_factory.mktemp("watched")
    data = write_ideas(folder / "ideas.csv", start="2012-01-02", end="2018-08-03", edge_from="2016-01-04", seed=7)
    ideas = pd.read_csv(folder / "ideas.csv", parse_dates=["time"])
    ideas.loc[ideas.time >= pd.Timestamp("2018-02-01", tz="UTC"), "rsi14"] += 15
    ideas.to_csv(folder / "ideas.csv", index=False)
    house = House(folder, data)
    with house.registry as registry:
        verdicts = [house.week(FIRST), house.week(BETTER), house.week(KEPT, policy="proven")]
        assert [verdict["promoted"] for verdict in verdicts] == [True, True, False]
        for as_of in (THREE_DAYS, HALF_A_YEAR):
            assert monitor(as_of, registry, house.settings, now=NOW).check is not None
    return folder


@pytest.fixture(scope="session")
def looked_at(furnished: Path) -> Iterator[httpx.Client]:
    """The console of that registry for somebody who may only look. Nobody changes anything in it."""
    with served(console(furnished, Insider(may=False))) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="session")
def three_models(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A small registry to be copied: three models, the second is the primary, after the first."""
    made = Site(tmp_path_factory.mktemp("three"))
    made.upgrade()
    with made.open() as registry:
        for number in (1, 2, 3):
            registry.register(own_model(number), note=f"model {number}", details=OWN)
        for model in (1, 2):
            registry.promote(model, actor="ann", reason="try it")
    return made


@pytest.fixture
def site(three_models: Site, tmp_path: Path) -> Site:
    """The small registry, for one test."""
    return three_models.clone(tmp_path / "site")


@pytest.fixture
def acting(site: Site) -> Iterator[Callable[..., tuple[int, str]]]:
    """Sends an act as the console's own pages do; the answer's status and its sentence."""
    with served(console(site.root, Insider())) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:

        def act(path: str, *, headers: dict[str, str] | None = None, **order: object) -> tuple[int, str]:
            sent = {"X-Gatekeeper-Act": "1"} if headers is None else headers
            answer = client.post(f"/default/acts/{path}", json=order, headers=sent)
            said = answer.json()
            return answer.status_code, said.get("message") or said["detail"]

        yield act


@pytest.fixture
def furnished_copy(pristine: Path, tmp_path: Path) -> Path:
    """The registry worth looking at, to be changed."""
    return shutil.copytree(pristine, tmp_path / "copy")
