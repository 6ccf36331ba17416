"""Registry invariants after any sequence of calls (case 12)."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.errors import GatekeeperError

ACTS = st.sampled_from(["register", "promote", "rollback", "guarded", "lose name", "release", "sql swaps", "migrate"])


def act(site: Site, registry, name: str, number: int) -> None:
    """One call, right or wrong, of an operator, of a weekly run, or of another tool."""
    words = {"actor": "ann", "reason": "r"}
    if name == "register":
        registry.register(own_model(number), details=OWN, run_key=f"key {number % 2}")
    elif name == "promote":
        registry.promote(number, **words)
    elif name == "guarded":
        registry.promote(number, expected_generation=number, **words)
    elif name == "rollback":
        registry.rollback(**words)
    elif name == "release":
        registry.release_quarantine(number, **words)
    elif name == "lose name":
        (site.models / registry.model(number).file_name).unlink(missing_ok=True)
    elif name == "migrate":
        registry.migrate_naming(**words)
    elif registry.model(number):
        site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_' || id")
        site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary' || id WHERE id = ?", number)
        assert registry.promote(number, **words).to_id == number


@settings(max_examples=10, deadline=None)
@given(acts=st.lists(st.tuples(ACTS, st.integers(1, 4)), max_size=14))
def test_no_calls_leave_two_primaries_or_none_behind(acts):
    """Case 12: and the chain of the audit is whole, whoever did what."""
    with TemporaryDirectory() as folder:
        site = Site(Path(folder))
        site.upgrade()
        with site.open(grace_seconds=0) as registry:
            for number in (1, 2):
                registry.register(own_model(number), details=OWN)
            registry.promote(1, actor="ann", reason="start")
            for name, number in acts:
                before = site.rows(), registry.primary()
                try:
                    act(site, registry, name, number)
                except GatekeeperError:
                    assert (site.rows(), registry.primary()) == before
                check_history(registry)
                assert registry.model_bytes(registry.primary()) is not None
