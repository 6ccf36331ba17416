"""Object store faults: unreachable, hanging, forbidden, or done and unacknowledged: nothing moves or is lost."""

import json
import os
import signal
from collections.abc import Callable

import fsspec
import pytest
from bucket_site import BUCKET, check_primary_opens
from registry_site import OWN, check_history, own_model

from gatekeeper.errors import Unavailable
from gatekeeper.registry import Registry, upgrade
from gatekeeper.registry.store.base import sha256_of
from gatekeeper.serving import Gatekeeper

IDEA = [[41.0, 22.0, 0.02, 0.05, 0.0, 0.0, 1.0]]


def acts(registry: Registry) -> list[Callable[[], object]]:
    return [
        lambda: registry.register(own_model(9), details=OWN),
        lambda: registry.promote(2, actor="ann", reason="r"),
        lambda: registry.rollback(actor="ann", reason="r"),
    ]


@pytest.mark.parametrize("trouble", ["refused", 503, 500])
def test_an_unreachable_store_is_never_taken_for_a_missing_model(site, s3, registry, three, judged, trouble):
    """Case 57: nothing moves, what was loaded goes on answering, and all goes on when the store is back."""
    gatekeeper = Gatekeeper(registry, poll_seconds=0.001)
    before_scores = gatekeeper.score(IDEA).values.tolist()
    evaluation = judged(three[1], today=True)
    before = site.state()
    s3.wire.cut() if trouble == "refused" else s3.wire.answer(trouble)
    primary = registry.primary()
    for read in (registry.model_bytes, registry.named_bytes, registry.blob_bytes, registry.restore_name):
        with pytest.raises(Unavailable, match=r"can't be .* now"):
            read(primary)
    by_evaluation = {"actor": "weekly", "reason": "better", "evaluation": evaluation.id, "kind": "weekly"}
    for act in (*acts(registry), lambda: registry.promote(2, **by_evaluation)):
        with pytest.raises(Unavailable, match="nothing has changed") as refused:
            act()
        assert refused.value.retryable
    assert site.state() == before
    scores = gatekeeper.score(IDEA)
    assert (scores.values.tolist(), scores.version, scores.degraded) == (before_scores, "gatekeeper_primary3", False)
    s3.wire.mend()
    assert registry.promote(2, **by_evaluation).to_id == 2
    assert gatekeeper.score(IDEA).version == "gatekeeper_primary2"


def test_a_store_that_hangs_is_unreachable(site, s3, registry, three):
    """Case 57, by a server that takes connections and never answers; the patience is fsspec's own setting."""
    before = site.state()
    fsspec.config.conf["s3"] = {"config_kwargs": {"read_timeout": 0.3}}
    try:
        with site.open() as impatient:
            os.kill(s3.process.pid, signal.SIGSTOP)
            try:
                with pytest.raises(Unavailable, match="Timeout"):
                    impatient.promote(2, actor="ann", reason="r")
            finally:
                os.kill(s3.process.pid, signal.SIGCONT)
            assert site.state() == before
            assert impatient.promote(2, actor="ann", reason="r").to_id == 2
    finally:
        del fsspec.config.conf["s3"]


@pytest.mark.parametrize("act", [0, 1, 2], ids=["register", "promote", "rollback"])
def test_the_store_goes_away_at_each_step(site, s3, registry, three, act):
    """Case 14: a clear error with everything as it was, or the whole act; and a retry succeeds."""
    before = site.state()
    reached: list[str] = []
    with site.copy(site.root.with_name(f"{site.prefix}_rehearsal")).open(step=reached.append) as rehearsal:
        acts(rehearsal)[act]()
    assert reached[-1] == "committed"
    for number, name in enumerate(reached):

        def step(_name: str, left: list[int] = [number]) -> None:  # noqa: B006  # counts down over the calls
            left[0] -= 1
            if left[0] == -1:
                s3.wire.cut()

        with site.open(step=step) as opened:
            done = True
            try:
                acts(opened)[act]()
            except Unavailable:
                done = False
        s3.wire.mend()
        check_primary_opens(site)
        if done:
            break
        assert site.rows() == before[0], name
        orphans = site.files().items() - before[1].items()  # what couldn't be undone holds what it should, or is new
        assert {digest for _, digest in orphans} <= {sha256_of(own_model(number)) for number in (1, 2, 3, 9)}
        assert before[1].items() <= site.files().items()
    else:
        pytest.fail("the act never went through")
    check_history(registry)
    assert number > 1


def test_a_put_whose_answer_is_lost_leaves_nothing(site, s3, registry, three):
    """Case 14: the server did it, and nobody heard of it."""
    before = site.state()
    s3.wire.lose_answers("PUT")
    for act in acts(registry)[:2]:
        with pytest.raises(Unavailable, match="written now"):
            act()
    assert site.state() == before
    s3.wire.mend()
    assert registry.promote(2, actor="ann", reason="r").to_id == 2


def test_a_bucket_that_may_only_be_read(site, s3, registry, three):
    """Case 14: the bucket's policy denies every put."""
    before = site.state()
    deny = {"Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    s3.client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    try:
        for act in acts(registry)[:2]:
            with pytest.raises(Unavailable, match=r"PermissionError.*credentials"):
                act()
        assert registry.model_bytes(three[1]) == own_model(2)
    finally:
        s3.client.delete_bucket_policy(Bucket=BUCKET)
    assert site.state() == before
    assert registry.promote(2, actor="ann", reason="r").to_id == 2


def test_objects_that_may_not_be_read_are_not_missing(site, s3, registry, three):
    """Case 57: access denied is a failure that an operator mends, and no reason to promote another model."""
    deny = {"Effect": "Deny", "Principal": "*", "Action": ["s3:GetObject", "s3:HeadObject"]}
    policy = {"Version": "2012-10-17", "Statement": [{**deny, "Resource": f"arn:aws:s3:::{BUCKET}/*"}]}
    s3.client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    try:
        with pytest.raises(Unavailable, match="PermissionError"):
            registry.model_bytes(three[1])
    finally:
        s3.client.delete_bucket_policy(Bucket=BUCKET)


@pytest.mark.parametrize("models", ["s3://no-such-bucket/models", f"s3://{BUCKET}/mistyped"])
def test_another_bucket_or_prefix_is_not_an_empty_store(site, three, models):
    """Case 57: every object would look as if it were missing."""
    with Registry.open(site.url, models=models) as registry:
        with pytest.raises(Unavailable, match="GATEKEEPER_MODELS"):
            registry.model_bytes(three[1])
        with pytest.raises(Unavailable, match="GATEKEEPER_MODELS"):
            registry.promote(2, actor="ann", reason="r")


def test_a_bucket_that_is_not_there_makes_no_registry(empty_site):
    with pytest.raises(Unavailable, match="bucket does not exist"):
        upgrade(empty_site.url, models="s3://no-such-bucket/models")
