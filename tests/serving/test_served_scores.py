"""Served scores, read back from whatever table holds them: with or without outcome, and by whose bytes."""

import json
from datetime import timedelta

import numpy as np
from decision_samples import NOON, decision, parsed

from gatekeeper.serving.served_scores import Answers, answered
from gatekeeper.settings import Settings

UNTIL = NOON + timedelta(days=1)


def read(site, since=NOON, until=UNTIL) -> Answers:
    return answered("sql:", since, until, Settings(db=site.url))


def test_answers_come_in_the_order_of_their_receipt(site, registry):
    """Open ideas too; one that no model answered has no score, and whoever stood in for the primary is named."""
    nobody = {"score": None, "model_id": None, "version": None, "sha256": None, "approved": False}
    given = [decision(3), decision(1), decision(2, sha256="cd" * 32, degraded=True), decision(4, **nobody)]
    registry.log_decisions(parsed(*given))
    seen = read(site)
    order = [given[1], given[2], given[0], given[3]]
    assert seen.features.tolist() == [list(one.features) for one in order]
    assert seen.features.dtype == np.float32
    assert np.float32(seen.scores[:3]).tolist() == [one.score for one in order[:3]]
    assert np.isnan(seen.scores[3])
    assert seen.sha256.tolist() == ["ab" * 32, "cd" * 32, "ab" * 32, ""]
    assert seen.degraded.tolist() == [False, True, False, False]


def test_only_what_was_received_within_the_time(site, registry):
    """Both ends count; the receipt is a second after the idea's own time."""
    registry.log_decisions(parsed(*[decision(number) for number in range(5)]))
    received = [decision(number).at for number in range(5)]
    assert len(read(site, received[1], received[3])) == 3
    assert len(read(site, received[4] + timedelta(seconds=1))) == 0


def test_rows_that_cant_be_read_are_left_out(site, registry):
    """Another tool wrote over a vector of ours; the source `sql:` is what refuses that."""
    registry.log_decisions(parsed(*[decision(number) for number in range(3)]))
    site.sql('UPDATE "RLDataset" SET "featureVec" = ? WHERE id = 2', json.dumps({"rsi14": 1}))
    assert read(site).features[:, 0].tolist() == [20.0, 22.0]


def test_a_table_without_scores_says_so(site, registry):
    registry.log_decisions(parsed(decision(1)))
    site.sql('ALTER TABLE "RLDataset" DROP COLUMN "gateScore"')
    seen = read(site)
    assert (len(seen), bool(np.isnan(seen.scores).all())) == (1, True)
