"""Model card: shows what is on record, marks the rest as unknown, and escapes people's words."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from evaluation_documents import CARD, WHOLE
from msgspec import structs
from promotion_steps import by_hand_as_of
from registry_site import MONDAY

from gatekeeper.documents import serialization
from gatekeeper.documents.card import CardFacts, CardState
from gatekeeper.registry import Registry
from gatekeeper.registry.views import card_text

NOW = datetime(2018, 7, 1, tzinfo=UTC)
SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@SQLITE
def test_of_a_model_that_nobody_vouches_for_little_is_known(site, registry: Registry) -> None:
    site.sql("INSERT INTO \"RLModel\" (id, version, path) VALUES (9, 'theirs', 'models/theirs.onnx')")
    facts = registry.pages.card(9, now=NOW)
    assert facts.state.name == "unregistered"
    assert structs.asdict(facts.training) == {
        "seed": None, "ideas": None, "wins": None, "parameters": None, "source": None, "notes": None, "age_days": None,
        "train_years": None, "half_life_days": None,
    }  # fmt: skip
    text = card_text.markdown(facts)
    assert "below its threshold (unknown) is vetoed" in text
    assert "| sha256 | unknown |" in text
    assert "None: it was never a challenger." in text
    assert "The end of its training data is unknown." in text


def test_promotions_and_quarantine_are_those_of_the_history(registry: Registry, add, judged, promote_judged) -> None:
    first, second = add(1), add(2)
    promote_judged(judged(first))
    with by_hand_as_of(MONDAY + timedelta(weeks=2)):
        registry.promote(second.id, actor="ann", reason="a | b\n# <b>not a heading</b>")
    with by_hand_as_of(MONDAY + timedelta(weeks=3)):
        registry.rollback(actor="bob", reason="it lost `money`")
    facts = registry.pages.card(second.id, now=NOW)
    assert facts.state == CardState("quarantined", since=None, fault=None, quarantined=True)
    assert [(row.generation, row.kind) for row in facts.promotions] == [(3, "rollback"), (2, "manual")]
    (lasting,) = facts.quarantines
    assert (lasting.actor, lasting.released_at) == ("bob", None)
    text = card_text.markdown(facts)
    assert r"a \| b \# \<b\>not a heading\</b\>" in text
    assert r"it lost \`money\` | in force" in text
    assert "replaced by model 1" in text and "became the primary" in text
    registry.release_quarantine(second.id, actor="eve", reason="mended")
    assert registry.pages.card(second.id, now=NOW).state.name == "standby"
    back = registry.pages.card(first.id, now=NOW)
    assert back.state.since == registry.promotions()[0].at


@SQLITE
def test_numbers_of_another_make_are_unknown_and_undefined_stays_undefined(registry: Registry, add, judged) -> None:
    model = add(1)
    judged(model, document={"format": 9})
    cards = {"challenger": {"ideas": 40, "kept_trades": 0, "sharpe": None}, "ungated": {"sharpe": 0.5}}
    document = {"policy": {"name": "safe"}, "verdict": {"decided_by": "defined"}, "scorecards": cards}
    judged(model, weeks=1, document=document, run_key="other")
    rows = [
        line for line in card_text.markdown(registry.pages.card(model.id, now=NOW)).splitlines() if "weekly" in line
    ]
    defined, other = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
    assert defined[6:12] == ["none", "0 of 40", "undefined", "undefined", "none", "0.500"]
    assert other[3] == "unknown"
    assert set(other[7:16]) == {"unknown"}


@SQLITE
def test_the_newest_evaluation_is_shown_with_what_traders_look_for(registry: Registry, add, judged) -> None:
    model = add(1)
    sides = {"long": {"count": 1, "won": 1, "gained": 0.01, "lost": 0.0, "size": 0.05}}
    sides["short"] = {"count": 1, "won": 0, "gained": 0.0, "lost": 0.004, "size": 0.05}
    card = CARD | {"daily": [0.01, -0.004], "exposed": [0.0, 0.05], "win_rate": 0.5}
    window = WHOLE["window"] | {"as_of": MONDAY.isoformat()}
    parts = {"scorecards": WHOLE["scorecards"] | {"challenger": card}, "sides": {"challenger": sides}}
    judged(model, document=WHOLE | parts | {"verdict": WHOLE["verdict"] | {"answer": "promote"}, "window": window})
    facts = registry.pages.card(model.id, now=NOW)
    assert facts.figures is not None and facts.figures.streams == ["challenger", "ungated"]
    text = card_text.markdown(facts)
    assert "| Profit factor | 2.50 | undefined: not on record | what winning trades made by what" in text
    assert "| Gross exposure, most | 5.00 % | 0.00 % |" in text
    judged(model, weeks=1, run_key="of another make", document={"format": 9})
    assert registry.pages.card(model.id, now=NOW).figures is None


CARDS = json.loads(Path(__file__).with_name("cards.json").read_text())
"""Facts, and the text that was made of them when the card was put together line by line, without a template."""


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_byte_for_byte_what_it_always_was(name: str) -> None:
    facts = CARDS[name]["facts"]
    for each in facts["quarantines"]:
        each.setdefault("model_id", 1)  # which the text doesn't show
    assert card_text.markdown(serialization.of_object(facts, CardFacts, "card")) == CARDS[name]["text"]


def test_without_jinja2_a_card_names_the_extras() -> None:
    code = (
        "import sys; sys.modules['jinja2'] = None; from gatekeeper.registry.views import card_text\n"
        "try: card_text.markdown({})\n"
        "except Exception as fault: print(type(fault).__name__, fault)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    says = "ConfigError A model card needs the package jinja2, which is not installed. Run `pip install"
    assert ended.stdout.startswith(says)
    assert "gatekeeper[train]" in ended.stdout and "gatekeeper[console]" in ended.stdout
