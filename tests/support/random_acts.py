"""Random acts on a registry, beside a small model of the rules that says how each must end (hypothesis' state machine).

Each step is an act, right or wrong, by one writer or two; after each, everything that the registry says is compared.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from math import inf
from typing import Any

from act_rules import Act, Rules
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from registry_site import MONDAY, OWN, Site, own_model

from gatekeeper.errors import GatekeeperError
from gatekeeper.registry import Registry
from gatekeeper.registry.promotion.history_chain import GENESIS, entry, link

MODELS = (1, 2, 3, 4)
models = st.sampled_from(MODELS)
weeks = st.integers(0, 40)
keys = st.one_of(st.none(), st.sampled_from("abcdef"))
WORDS = ("better", "worse")
reasons = st.sampled_from(WORDS)
HISTORIC = {"data": {"source": "candles:x", "newest": "2018-01-05T00:00:00+00:00", "notes": []}}


def registered(site: Site) -> None:
    """The template: every model is registered once."""
    site.upgrade()
    with site.open() as registry:
        for number in MODELS:
            registry.register(own_model(number), details=OWN)


def anew(site: Site) -> None:
    """The rows of the template again. Files of more names do no harm."""
    tables = ("promotion", "evaluation", "hold", "quarantine", "retired", "act")
    for name in tables:
        site.sql(f"DELETE FROM gatekeeper_{name}")
    site.sql("UPDATE gatekeeper_lock SET generation = 0")
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_' || id, path = 'models/gatekeeper_' || id || '.onnx'")
    for name in tables[1:4]:
        reset = f"UPDATE sqlite_sequence SET seq = 0 WHERE name = 'gatekeeper_{name}'"
        site.sql(reset if site.dialect == "sqlite" else f"ALTER SEQUENCE gatekeeper_{name}_id_seq RESTART")


class RandomActs(RuleBasedStateMachine):
    """One registry, by two writers, and the rules. A subclass, from `on`, says which."""

    one: Registry
    other: Registry
    between: list[Callable[[], None]]
    begin: Callable[[], None]
    steps = 0
    made = 0
    refused = 0

    def __init__(self) -> None:
        super().__init__()
        self.begin()
        self.between.clear()
        self.rules, self.history, self.chain = Rules(), [], GENESIS

    @classmethod
    @contextmanager
    def on(cls, site: Site) -> Iterator[type["RandomActs"]]:
        """The machine on this site, which `registered` made. Between a writer's checks and its lock, the other acts."""
        between: list[Callable[[], None]] = []

        def reached(step: str) -> None:
            if step == "verified" and between:
                between.pop()()

        with site.open(step=reached) as one, site.open() as other:
            parts = {"one": one, "other": other, "between": between, "begin": staticmethod(lambda: anew(site))}
            yield type("Here", (cls,), parts)

    def tried(self, act: Callable[[], Any], expected: "set[str] | Act", then: Callable[[], object]) -> Any:
        """The act ends as the rules say; only what is made changes them."""
        type(self).steps += 1
        try:
            done = act()
        except GatekeeperError as fault:
            assert isinstance(expected, set), (fault, expected)
            assert type(fault).__name__ in expected, (fault, expected)
            type(self).refused += 1
            return None
        assert not isinstance(expected, set) or not expected, (done, expected)
        if isinstance(expected, Act):
            number = self.rules.acts.index(expected) + 1
            assert done.generation == number, "what the key did, or what made the model the primary"
            return done
        type(self).made += 1
        then()
        return done

    @initialize(begun=st.integers(0, 4))
    def evaluated_once(self, begun: int) -> None:
        """Mostly, a week was judged already: an act by hand before that has no data to be dated by."""
        if begun:
            self.judge(1, 0, "keep", "begun")

    def judge(self, model: int, week: int, verdict: str, key: str) -> int:
        made = self.one.record_evaluation(
            challenger=model,
            champion=self.rules.primary,
            generation=len(self.rules.acts),
            as_of=MONDAY + timedelta(weeks=week),
            kind="weekly",
            verdict=verdict,
            document=HISTORIC,
            run_key=key,
            report=None,
        )
        if made.id > len(self.rules.judged):
            self.rules.judged.append((model, week, verdict, len(self.rules.acts)))
            self.rules.newest = week
        return made.id

    # What weekly runs do

    @rule(model=models, week=weeks, verdict=st.sampled_from(["promote", "promote", "keep"]))
    def run(self, model: int, week: int, verdict: str) -> None:
        """A weekly run, or a backfill: judged, and promoted if the verdict says so."""
        number = self.judge(model, week, verdict, f"week {week} {len(self.rules.judged)}")
        self.by_evaluation(model, number, f"week {week} {number}")

    @rule(model=models, ahead=st.integers(1, 3))
    def next_run(self, model: int, ahead: int) -> None:
        """The next Monday: that one may promote, unless something else forbids it."""
        latest = [act.week for act in self.rules.acts if act.week != inf] + [self.rules.newest or 0]
        self.run(model, int(max(latest)) + ahead, "promote")

    @rule(choice=st.integers(0, 200), model=st.one_of(st.none(), models))
    def cleared(self, choice: int, model: int | None) -> None:
        """A task of a past run is cleared: the same key and order again, or with another model."""
        if self.rules.judged:
            number = choice % len(self.rules.judged) + 1
            challenger, week, *_ = self.rules.judged[number - 1]
            self.by_evaluation(challenger if model is None else model, number, f"week {week} {number}")

    def by_evaluation(self, model: int, number: int, key: str) -> None:
        def act() -> Any:
            order = {"actor": "run", "reason": "better", "kind": "weekly", "run_key": key}
            return self.one.promote(model, evaluation=number, **order)

        expected = self.rules.promotion(model, "better", number, key)
        self.tried(act, expected, lambda: self.rules.promote(model, "better", number, key))

    # What people do

    @rule(model=models, reason=reasons, key=keys)
    def promote(self, model: int, reason: str, key: str | None) -> None:
        expected = self.rules.promotion(model, reason, None, key)
        self.tried(
            lambda: self.one.promote(model, actor="ann", reason=reason, run_key=key),
            expected,
            lambda: self.rules.promote(model, reason, None, key),
        )

    @rule(model=models, off=st.integers(-2, 1))
    def guarded(self, model: int, off: int) -> None:
        """From a page that shows another generation than there is."""
        expected = self.rules.promotion(model, "better", None, None)
        if off and isinstance(expected, set):
            expected = expected | {"GenerationMoved"}
        generation = len(self.rules.acts) + off
        self.tried(
            lambda: self.one.promote(model, actor="ann", reason="better", expected_generation=generation),
            expected,
            lambda: self.rules.promote(model, "better", None, None),
        )

    @rule(reason=reasons, key=keys)
    def roll_back(self, reason: str, key: str | None) -> None:
        self.tried(
            lambda: self.one.rollback(actor="ann", reason=reason, run_key=key),
            self.rules.rollback(reason, key),
            lambda: self.rules.roll_back(reason, key),
        )

    @rule(reason=reasons, key=keys)
    def hold(self, reason: str, key: str | None) -> None:
        rules = self.rules
        known = None if key is None else rules.hold_keys.get(key)
        wrong = rules.keyed(key) is not None or rules.elsewhere(key, ("hold",), rules.release_keys, rules.clear_keys)
        wrong = wrong or (known is not None and known[1] != reason)
        placed = self.tried(
            lambda: self.one.hold(actor="ann", reason=reason, run_key=key), {"KeyUsed"} if wrong else set(), tuple
        )
        if placed is None:
            return
        if known is not None:
            assert placed.id == known[0]
            return
        assert self.other.hold_effect().startswith("Promotions are held")
        rules.placed += 1
        assert placed.id == rules.placed
        rules.holds.append(placed.id)
        if key is not None:
            rules.hold_keys[key] = (placed.id, reason)

    @rule(which=st.one_of(st.none(), st.just("all"), st.integers(0, 5)), key=keys)
    def release(self, which: str | int | None, key: str | None) -> None:
        rules = self.rules
        done = None if key is None else rules.release_keys.get(key)
        number = which if isinstance(which, int) else None
        wrong: set[str] = set()
        chosen = [one for one in rules.holds if which == "all" or number in (None, one)]
        order = ("release", which)
        if rules.keyed(key) is not None or rules.elsewhere(key, order, rules.hold_keys, rules.clear_keys):
            wrong = {"KeyUsed"}
        elif key in rules.unchanged:
            done = (), False
        elif done is not None:
            ids, others_stood = done
            same = {"all": not others_stood, None: len(ids) == 1}.get(which, ids == (number,))
            wrong = set() if same else {"KeyUsed"}
        elif (number is not None and not 1 <= number <= rules.placed) or (which is None and len(chosen) > 1):
            wrong = {"PromotionRefused"}
        released = self.tried(
            lambda: self.one.release(number, every=which == "all", actor="ann", reason="done", run_key=key),
            wrong,
            tuple,
        )
        if released is None:
            return
        assert tuple(one.id for one in released) == (tuple(chosen) if done is None else done[0])
        if done is None:
            rules.holds = [one for one in rules.holds if one not in chosen]
            assert self.other.hold_effect().startswith("Promotions are held" if rules.holds else "No hold is in force")
            if key is not None and chosen:
                rules.release_keys[key] = (tuple(chosen), bool(rules.holds))
            if not chosen:
                rules.leave(key, order)

    @rule(model=models, key=keys)
    def clear(self, model: int, key: str | None) -> None:
        """A quarantine is lifted."""
        rules = self.rules
        done = None if key is None else rules.clear_keys.get(key)
        order = ("clear", model)
        wrong = rules.keyed(key) is not None or rules.elsewhere(key, order, rules.hold_keys, rules.release_keys)
        wrong = wrong or (done is not None and done != model)
        was = self.tried(
            lambda: self.one.release_quarantine(model, actor="ann", reason="done", run_key=key),
            {"KeyUsed"} if wrong else set(),
            tuple,
        )
        if was is None:
            return
        assert was == (key not in rules.unchanged and (done is not None or model in rules.out))
        if done is not None or key in rules.unchanged:
            return
        if not was:
            rules.leave(key, order)
        rules.out.discard(model)
        if was and key is not None:
            rules.clear_keys[key] = model

    # Two writers

    @rule(model=models, others=models, back=st.booleans())
    def overtaken(self, model: int, others: int, back: bool) -> None:
        """Between the checks of a promotion and its lock, another writer promotes or rolls back."""
        self.race(model, lambda: self.rules.promotion(model, "better", None, None), others, back)

    @rule(others=models, back=st.booleans())
    def rollback_overtaken(self, others: int, back: bool) -> None:
        """A rollback goes where it was checked to go, or nowhere."""
        self.race(None, lambda: self.rules.rollback("worse", None), others, back)

    def race(self, model: int | None, asked: Callable[[], "set[str] | Act"], others: int, back: bool) -> None:
        rules, moved = self.rules, False
        first, target = asked(), rules.back()
        words = {"actor": "bob", "reason": "worse"}

        def another() -> None:
            nonlocal moved
            wrong = rules.rollback("worse", None) if back else rules.promotion(others, "worse", None, None)
            if wrong != set():
                return
            moved = True
            if back:
                self.other.rollback(**words)
                rules.roll_back("worse", None)
            else:
                self.other.promote(others, **words)
                rules.promote(others, "worse", None, None)

        self.between.append(another)
        type(self).steps += 1
        try:
            if model is None:
                done = self.one.rollback(actor="ann", reason="worse")
            else:
                done = self.one.promote(model, actor="ann", reason="better")
        except GatekeeperError as fault:
            second = {"GenerationMoved"} if model is None and moved else asked()
            allowed = (first if isinstance(first, set) else set()) | (second if isinstance(second, set) else set())
            assert type(fault).__name__ in allowed, (fault, allowed)
            type(self).refused += 1
            return
        finally:
            self.between.clear()
        second = first if not moved else asked()
        assert not (model is None and moved), "it was checked against another primary"
        if isinstance(second, Act):
            assert done.generation == rules.acts.index(second) + 1
        elif model is None:
            assert second == set()
            assert target is not None
            assert done.to_id == target.model
            rules.roll_back("worse", None)
        else:
            assert second == set()
            rules.promote(model, "better", None, None)

    # The law

    @invariant()
    def all_is_as_the_rules_say(self) -> None:
        """Primary, generation, history with its chain, holds, quarantines, what may promote, and the effect line."""
        registry, rules = self.other, self.rules
        history = registry.promotions()[::-1]
        assert history[: len(self.history)] == self.history, "no row ever changes"
        told = [(row.generation, row.kind, row.from_id, row.to_id, row.reason, row.evaluation_id) for row in history]
        acts = enumerate(rules.acts, 1)
        assert told == [(n, act.kind, act.source, act.model, act.reason, act.evaluation) for n, act in acts]
        primary = registry.primary()
        assert (primary and primary.id, registry.generation()) == (rules.primary, len(rules.acts))
        if history[len(self.history) :]:
            self.check_rows(registry, history)
        assert [hold.id for hold in registry.holds()] == rules.holds
        assert {one.id for one in registry.pages.quarantines()} == rules.out
        latest = max((act.week for act in rules.acts if act.week != inf), default=0)
        week = int(latest) + self.steps % 2  # the last one that is closed, the first that may be open
        assert (registry.not_eligible(MONDAY + timedelta(weeks=week)) is None) == rules.open(week)

    def check_rows(self, registry: Registry, history: list[Any]) -> None:
        """Rows that are new: their hash, their as-of, and the line that tells of the newest."""
        with registry._context.database.read() as connection:
            for row, act in list(zip(history, self.rules.acts, strict=True))[len(self.history) :]:
                from gatekeeper.documents.receipt import as_hashed

                self.chain = link(self.chain, as_hashed(entry(connection, row)))
                assert row.chain == self.chain
                assert row.as_of == (row.at if act.week == inf else MONDAY + timedelta(weeks=act.week))
        act, before = self.rules.acts[-1], self.rules.acts[-1].source
        verb = "Rolled back to" if act.kind == "rollback" else "Promoted"
        was = "there was no primary" if before is None else f"was gatekeeper_primary{before}"
        line = f"{verb} gatekeeper_primary{act.model} (generation {len(history)}), {was}."
        assert registry.effect(history[-1]) == line
        self.history = history
