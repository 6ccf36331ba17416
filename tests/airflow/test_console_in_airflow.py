"""Console behind Airflow's login: rights to read and to act, and cross-site requests."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from airflow_server import Airflow
from registry_site import OWN, Site, own_model

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow")]

DESK = "pages"
ROOT = "/gatekeeper"
OURS = {"X-Gatekeeper-Act": "1"}
REASON = {"reason": "try it"}
ACTS = ["promote/3", "rollback", "hold", "release", "release/1", "release-all", "release-quarantine/2"]


@pytest.fixture(scope="module")
def web(airflow: Airflow) -> Iterator[httpx.Client]:
    """Airflow's API server, without login; the desk has three models, the second is the primary."""
    with airflow.registry(DESK) as registry:
        for number in (1, 2, 3):
            registry.register(own_model(number), details=OWN)
        for model in (1, 2):
            registry.promote(model, actor="ann", reason="before the tests")
    with httpx.Client(base_url=airflow.url, timeout=60) as client:
        yield client


def bearer(airflow: Airflow, user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {airflow.token(user)}"}


def cookie(airflow: Airflow, user: str) -> dict[str, str]:
    """What a browser sends along by itself, whoever's page makes it ask."""
    return {"Cookie": f"_token={airflow.token(user)}"}


def rows(airflow: Airflow) -> list[tuple]:
    return Site(airflow.place(DESK)).rows()


def routes() -> list[tuple[str, str]]:
    """Every route of the application that is mounted there, with an address that it answers to."""
    from gatekeeper_airflow.console import application

    found = []
    for route in application().routes:
        path = re.sub(
            r"\{(\w+)(:\w+)?\}", lambda part: {"desk": DESK, "name": "console.css"}.get(part[1], "1"), route.path
        )
        found += [(method, path) for method in sorted(route.methods - {"HEAD"})]
    return found


def test_no_route_answers_a_stranger(airflow: Airflow, web: httpx.Client) -> None:
    """Case 47: 401 without login, for each route that there is, styles and scripts too."""
    before = rows(airflow)
    every = routes()
    assert len([path for method, path in every if method == "POST"]) == len(ACTS)
    assert len(every) > 15
    for method, path in every:
        for headers in (OURS, {**OURS, "Accept": "text/html"}):
            answer = web.request(method, ROOT + path, headers=headers, json=REASON if method == "POST" else None)
            assert answer.status_code == 401, f"{method} {path}"
            assert "gatekeeper_primary" not in answer.text
    page = web.get(f"{ROOT}/{DESK}/models", headers={"Accept": "text/html"})
    back = quote(f"{airflow.url}{ROOT}/{DESK}/models", safe="")
    assert f'<meta http-equiv="refresh" content="0; url=/auth/login?next={back}">' in page.text
    assert rows(airflow) == before


def test_who_may_only_look_sees_all_and_changes_nothing(airflow: Airflow, web: httpx.Client) -> None:
    """Case 47: 200 to look, 403 to act, for a user without the right to run the DAG that promotes."""
    before = rows(airflow)
    for path in ("models", "models/2", "evaluations", "history", "holds", "doctor"):
        answer = web.get(f"{ROOT}/{DESK}/{path}", headers={**bearer(airflow, "reader"), "Accept": "text/html"})
        assert answer.status_code == 200
        assert "data-act" not in answer.text
    for path in ACTS:
        answer = web.post(f"{ROOT}/{DESK}/acts/{path}", headers=bearer(airflow, "reader"), json=REASON)
        assert answer.status_code == 403
        assert f"the right to run the DAG gatekeeper_promote_{DESK}" in answer.json()["detail"]
    assert rows(airflow) == before


def test_the_cookie_alone_changes_nothing(airflow: Airflow, web: httpx.Client) -> None:
    """A page of another site that a logged-in user has open: by form, by fetch, with whatever it can send."""
    before = rows(airflow)
    mine = cookie(airflow, "admin")
    assert web.get(f"{ROOT}/{DESK}/models", headers=mine).status_code == 200
    for path in ACTS:
        address = f"{ROOT}/{DESK}/acts/{path}"
        assert web.post(address, headers=mine, json=REASON).status_code == 403
        assert web.post(address, headers=mine, data=REASON).status_code == 415
        plain = {**mine, "Content-Type": "text/plain"}
        assert web.post(address, headers=plain, content='{"reason": "x"}').status_code == 415
        from_afar = {**mine, **OURS, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
        assert web.post(address, headers=from_afar, json=REASON).status_code == 403
    asked = web.options(
        f"{ROOT}/{DESK}/acts/hold",
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
    )
    assert "access-control-allow-origin" not in asked.headers
    assert rows(airflow) == before


def test_who_may_run_the_dag_acts_under_their_own_name(airflow: Airflow, web: httpx.Client) -> None:
    """As a browser does it, with cookie and our header; and as a program does, with a bearer token."""
    browser = {**cookie(airflow, "trader"), **OURS, "Sec-Fetch-Site": "same-origin"}
    held = web.post(f"{ROOT}/{DESK}/acts/hold", headers=browser, json={"reason": "holidays"})
    assert held.status_code == 200, held.text
    promoted = web.post(f"{ROOT}/{DESK}/acts/promote/3", headers=bearer(airflow, "operator"), json=REASON)
    assert promoted.json() == {"message": "Promoted gatekeeper_primary3 (generation 3), was gatekeeper_primary2."}
    back = web.post(f"{ROOT}/{DESK}/acts/rollback", headers=browser, json={"reason": "worse", "generation": 3})
    assert back.json() == {
        "message": "Rolled back to gatekeeper_primary2 (generation 4), was gatekeeper_primary3. Model 3 is quarantined."
    }
    with airflow.registry(DESK) as registry:
        (hold,) = registry.holds()
        assert [(p.to_id, p.kind, p.actor) for p in registry.promotions()[:2]] == [
            (2, "rollback", "trader"),
            (3, "manual", "operator"),
        ]
    assert (hold.actor, hold.reason) == ("trader", "holidays")


def test_airflow_has_the_page_in_its_menu(airflow: Airflow, web: httpx.Client) -> None:
    assert airflow.call("GET", "/api/v2/plugins/importErrors")["import_errors"] == []
    (ours,) = [one for one in airflow.call("GET", "/api/v2/plugins")["plugins"] if one["name"] == "gatekeeper"]
    (view,) = ours["external_views"]
    assert (view["name"], view["destination"], view["url_route"]) == ("Gatekeeper", "nav", "gatekeeper")
    page = web.get(view["href"], headers=bearer(airflow, "reader"), follow_redirects=True)
    assert page.status_code == 200
    assert page.headers["x-frame-options"] == "SAMEORIGIN"
    assert web.get(view["icon"], headers=bearer(airflow, "reader")).headers["content-type"] == "image/svg+xml"
    for automatic in ("/docs", "/redoc", "/openapi.json"):
        assert web.get(ROOT + automatic, headers=bearer(airflow, "admin")).status_code == 404


def test_a_connection_of_the_desk_wins_here_as_it_does_for_tasks(
    airflow: Airflow, web: httpx.Client, tmp_path: Path
) -> None:
    elsewhere = Site(tmp_path)
    elsewhere.upgrade()
    with elsewhere.open() as registry:
        registry.register(own_model(9), note="from the other registry", details=OWN)
    connection = {
        "connection_id": f"gatekeeper_registry_{DESK}",
        "conn_type": "sqlite",
        "host": str(elsewhere.database),
        "extra": f'{{"models": "{elsewhere.models}"}}',
    }
    address = f"{ROOT}/{DESK}/models"
    airflow.call("POST", "/api/v2/connections", connection)
    try:
        assert "from the other registry" in web.get(address, headers=bearer(airflow, "reader")).text
    finally:
        airflow.call("DELETE", f"/api/v2/connections/{connection['connection_id']}")
    assert "from the other registry" not in web.get(address, headers=bearer(airflow, "reader")).text
