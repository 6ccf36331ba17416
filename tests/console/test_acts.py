"""Console actions: access rights, cross-site protection, and what the registry verifies."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from alarm_receiver import Receiver
from console_house import PATIENCE, Insider, console, served
from registry_site import Site

from gatekeeper.errors import Unavailable
from gatekeeper.registry import Registry

Act = Callable[..., tuple[int, str]]
pytestmark = pytest.mark.xdist_group("console")


def test_a_promotion_is_the_users_and_has_its_reason(acting: Act, site: Site) -> None:
    status, said = acting("promote/3", reason="the other vetoes too much", generation=2)
    assert (status, said) == (200, "Promoted gatekeeper_primary3 (generation 3), was gatekeeper_primary2.")
    with site.open() as registry:
        newest = registry.promotions()[0]
    assert (newest.to_id, newest.kind, newest.actor, newest.reason) == (
        3,
        "manual",
        "carol",
        "the other vetoes too much",
    )
    assert acting("promote/3", reason="again") == (
        200,
        "Nothing was promoted: gatekeeper_primary3 is the primary already. "
        "The primary is gatekeeper_primary3 (generation 3).",
    )


def test_who_looked_at_another_primary_changes_nothing(acting: Act, site: Site) -> None:
    with site.open() as registry:
        registry.promote(3, actor="dora", reason="meanwhile")
    for path in ("promote/1", "rollback"):
        status, said = acting(path, reason="as the page showed it", generation=2)
        assert status == 409
        assert re.search("another promotion came first|at generation 3", said, re.IGNORECASE), said
    with site.open() as registry:
        assert registry.promotions()[0].actor == "dora"


def test_a_rollback_quarantines_and_the_quarantine_can_be_lifted(acting: Act, site: Site) -> None:
    status, said = acting("rollback", reason="live losses", generation=2)
    assert (status, said) == (
        200,
        "Rolled back to gatekeeper_primary1 (generation 3), was gatekeeper_primary2. Model 2 is quarantined.",
    )
    status, said = acting("promote/2", reason="too soon")
    assert status == 409
    assert "rolled back from its bytes" in said
    assert acting("release-quarantine/2", reason="understood now")[0] == 200
    assert acting("release-quarantine/2", reason="once more")[1].startswith(
        "There was no quarantine of model 2. The bytes of gatekeeper_2 are not"
    )
    assert acting("promote/2", reason="now it is good")[0] == 200
    status, said = acting("rollback", reason="and back", generation=4)
    assert status == 200, said
    status, said = acting("rollback", reason="further than there is")
    assert status == 409
    assert "no earlier primary" in said.lower()


def test_holds_stack_and_each_is_released_by_itself(acting: Act, site: Site) -> None:
    """Case 68."""
    assert acting("release-all", reason="a clean start")[0] == 200
    for reason in ("audit", "holidays", "feed"):
        assert acting("hold", reason=reason)[0] == 200
    with site.open() as registry:
        first, second, third = (hold.id for hold in registry.holds())
    status, said = acting("release", reason="which one?")
    assert (status, said.startswith("3 holds are in force: ")) == (409, True)
    status, said = acting(f"release/{second}", reason="back")
    held = f"Promotions are held by 2 holds: hold {first} by carol (audit); hold {third} by carol (feed)"
    assert (status, said.startswith(f"Released hold {second}. {held}")) == (200, True)
    assert acting("release/999", reason="back")[0] == 409
    released = acting("release-all", reason="done")
    assert released == (200, f"Released holds {first}, {third}. No hold is in force: weekly runs may promote.")


def test_a_hold_stands_until_it_is_released(acting: Act, site: Site) -> None:
    until = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert acting("hold", reason="holidays", until=until)[0] == 200
    with site.open() as registry:
        (hold,) = registry.holds()
    assert hold.until is not None
    assert (hold.actor, hold.until.strftime("%Y-%m-%dT%H:%M")) == ("carol", until)
    assert acting("release", reason="back") == (
        200,
        f"Released hold {hold.id}. No hold is in force: weekly runs may promote.",
    )
    assert acting("release", reason="again")[1] == "There was no hold. No hold is in force: weekly runs may promote."
    status, said = acting("hold", reason="too late", until="2020-01-01T00:00")
    assert status == 422
    assert "lies in the past" in said


@pytest.mark.parametrize(
    ("path", "order", "status", "words"),
    [
        ("promote/3", {"reason": "  "}, 422, "Reason: give a reason; it is recorded in the history"),
        ("promote/3", {}, 422, "Reason: Field required"),
        ("promote/3", {"reason": "x", "force": True}, 422, "Force: Extra inputs are not permitted"),
        ("promote/99", {"reason": "x"}, 404, "There is no model 99"),
        ("promote/three", {"reason": "x"}, 422, "Model: Input should be a valid integer"),
        ("hold", {"reason": "x", "until": "tomorrow"}, 422, "Until: Input should be a valid datetime"),
        ("hold", {"reason": "x", "until": 4102444800}, 422, "Until: write an ISO 8601 time"),  # seconds, of 2100
        ("hold", {"reason": "x", "until": "20270101000000"}, 422, "Until: write an ISO 8601 time"),  # ms, of 2612
        ("release-quarantine/99", {"reason": "x"}, 404, "There is no model 99"),
        ("dance", {"reason": "x"}, 404, "There is no such page."),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(
    acting: Act, site: Site, path: str, order: dict[str, object], status: int, words: str
) -> None:
    before = site.rows()
    assert acting(path, **order)[0] == status
    assert words in acting(path, **order)[1]
    assert site.rows() == before


def test_a_name_given_twice_is_refused(site: Site) -> None:
    """One reader takes the first generation, which is right, and another the last."""
    before = site.rows()
    with served(console(site.root, Insider())) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        headers = {"X-Gatekeeper-Act": "1", "Content-Type": "application/json"}
        twice = b'{"reason": "x", "generation": 1, "generation": 2}'
        answer = client.post("/default/acts/rollback", content=twice, headers=headers)
    assert (answer.status_code, "'generation' is given twice" in answer.text) == (422, True)
    assert site.rows() == before


def test_a_registry_that_is_gone_after_a_rollback(acting: Act, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is told that nothing has changed repeats it, and is two models back."""

    def gone(_registry: Registry, _sha256: str) -> None:
        raise Unavailable("The registry can't be used now, so nothing has changed. Try again later.")

    monkeypatch.setattr(Registry, "quarantined", gone)
    status, message = acting("rollback", reason="live losses", generation=2)
    assert (status, message.startswith("Rolled back to gatekeeper_primary1 (generation 3)")) == (503, True)
    assert "This is committed" in message
    assert "nothing has changed" not in message
    with site.open() as registry:
        assert registry.promotions()[0].to_id == 1


def test_a_model_whose_bytes_are_gone_is_not_promoted(acting: Act, site: Site) -> None:
    for path in [site.models / "gatekeeper_3.onnx", *(site.models / ".blobs").iterdir()]:
        path.chmod(0o644)
        path.write_bytes(b"not a model")
    before = site.rows()
    status, said = acting("promote/3", reason="look the other way")
    assert status == 409
    assert "sha256" in said
    assert site.rows() == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),  # what a page of another site could send, if it could send JSON
        ({"X-Gatekeeper-Act": "1", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-Gatekeeper-Act": "1", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Authorization": "Basic Y2Fyb2w6"}, 403),
        ({"X-Gatekeeper-Act": "1", "Content-Type": "text/plain"}, 415),
        ({"Authorization": "Bearer some-token", "Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"X-Gatekeeper-Act": "1", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Authorization": "Bearer some-token"}, 200),
    ],
)
def test_only_a_request_that_was_meant_changes_anything(
    acting: Act, site: Site, headers: dict[str, str], status: int
) -> None:
    """Case 47's kin: the cookie comes along from any page, our header doesn't."""
    before = site.rows()
    assert acting("hold", headers=headers, reason="from afar")[0] == status
    assert (site.rows() == before) == (status != 200)


def test_who_may_only_look_changes_nothing(site: Site) -> None:
    before = site.rows()
    with served(console(site.root, Insider(may=False))) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        for path in ("promote/3", "rollback", "hold", "release", "release-quarantine/2"):
            answer = client.post(f"/default/acts/{path}", json={"reason": "x"}, headers={"X-Gatekeeper-Act": "1"})
            assert answer.status_code == 403
            assert "the right to run the DAG gatekeeper_promote" in answer.json()["detail"]
        assert "data-act" not in client.get("/default/models").text
    assert site.rows() == before


def test_where_promotions_wait_for_approval_the_console_sends_there(site: Site) -> None:
    """Brakes don't wait: a rollback goes through."""
    app = console(site.root, Insider(), approval=True)
    with served(app) as url, httpx.Client(base_url=url, timeout=PATIENCE, headers={"X-Gatekeeper-Act": "1"}) as client:
        refused = client.post("/default/acts/promote/3", json={"reason": "past the others"})
        assert refused.status_code == 409
        assert "Trigger the DAG gatekeeper_promote, which asks for it" in refused.json()["detail"]
        page = client.get("/default/models/3").text
        assert "Promotions wait for approval" in page
        assert "acts/promote" not in page
        assert client.post("/default/acts/rollback", json={"reason": "losses"}).status_code == 200
    with site.open() as registry:
        assert [promotion.to_id for promotion in registry.promotions()] == [1, 2, 1]


def test_whoever_hears_of_promotions_hears_of_these(site: Site) -> None:
    with Receiver() as receiver:
        app = console(site.root, Insider(), alarms=receiver.url)
        with served(app) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
            for path in ("promote/3", "promote/3", "rollback", "hold"):
                order = {"json": {"reason": "as agreed"}, "headers": {"X-Gatekeeper-Act": "1"}}
                assert client.post(f"/default/acts/{path}", **order).status_code == 200
    # Sent after the answers, so in whatever order; by now all are.
    assert sorted(receiver.kinds) == ["ALARM: rolled back", "promoted"]
    assert all("by carol: as agreed" in message["message"] for message in receiver.got)
