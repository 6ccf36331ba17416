"""Verdict texts: the message of a verdict, and whether it needs a person's attention."""

from gatekeeper.documents.evaluation import Answer, Gate, Refit, Verdict
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.gains import Gains
from gatekeeper.judgement.rule.gate_texts import figure, needs_a_person
from gatekeeper.judgement.rule.verdict import Policy

ALL_GATES = "all gates"


def same_bytes(challenger: Scorecard, champion: Scorecard, policy: Policy, kind: str) -> Verdict:
    """The verdict on a challenger with the same bytes as the champion; no other gate is evaluated."""
    text = f"same decisions: {challenger.name} has the same bytes as {champion.name}, sha256 {challenger.sha256}"
    gate = Gate("distinct", False, {"differing": 0}, text)
    return Verdict(
        "keep", kind, policy.name, (gate,), "distinct", f"keep {champion.live}: {text}", gain=0.0, differing=0
    )


def verdict(
    answer: Answer,
    gates: tuple[Gate, ...],
    failed: list[str],
    found: Gains,
    challenger: Scorecard,
    champion: Scorecard | None,
    ungated: Scorecard | None,
    policy: Policy,
    kind: str,
    refit: Refit | None = None,
) -> Verdict:
    """The verdict with its message, and whether it needs a person's attention (`alert`)."""
    by_name = {gate.name: gate for gate in gates}
    decided_by = failed[0] if failed else ALL_GATES
    message = f"{_headline(answer, challenger, champion, refit)}: " + (
        f"{decided_by}: {by_name[decided_by].text}" if failed else _won(found, by_name)
    )
    if refit is not None and not failed:
        message += f"; {by_name['alike'].text}"
    stuck = None if champion is None or not failed else _stuck(decided_by, challenger, champion, policy)
    if stuck:
        message += f". ALERT: {stuck}"
    worse = ungated is not None and challenger.total_return < ungated.total_return
    worse = worse and (answer == "promote" or decided_by == "ungated")
    if worse and ungated is not None:
        message += f". WARNING: {_less_than_ungated(challenger, ungated)}"
    differing = by_name["distinct"].numbers["differing"] if champion is not None else None
    gain, nobody = found.shown, champion is None and decided_by in ("alike", "ungated")
    return Verdict(
        answer=answer,
        kind="bootstrap" if champion is None and kind == "weekly" else kind,
        policy=policy.name,
        gates=gates,
        decided_by=decided_by,
        message=message,
        alert=bool(stuck) or worse or nobody or (decided_by in ("selective", "plausible")),
        gain=gain.value,
        standard_error=gain.standard_error,
        bound=gain.bound,
        p=gain.p,
        differing=differing if isinstance(differing, int) else None,
        detectable_gain=gain.detectable,
    )


def _headline(answer: Answer, challenger: Scorecard, champion: Scorecard | None, refit: Refit | None) -> str:
    if answer == "promote":
        live = challenger.name if refit is None else f"{refit.name} (refit of {challenger.name})"
        return f"promote {live}" + ("" if champion is not None else " as the first primary")
    if champion is None:
        return f"{answer}, so there is still no primary"
    return f"keep {champion.live}" if answer == "keep" else f"undecided, {champion.live} stays the primary"


def _won(found: Gains, gates: dict[str, Gate]) -> str:
    if found.shown.value is None:
        return gates["defined"].text
    won = ("better", "bound", "saves", "distinct", "league")
    return "; ".join(gates[name].text for name in won if name in gates)


def _stuck(decided_by: str, challenger: Scorecard, champion: Scorecard, policy: Policy) -> str | None:
    """The reason that no later Monday can judge this champion either, and the way out; None if one can."""
    window = champion.window
    if window.ready is None and (window.empty or window.days < policy.floor_days):
        return "this window never becomes long enough with this holdout: raise GATEKEEPER_HOLDOUT_DAYS"
    if decided_by == "comparable" and champion.trained_to is None and not champion.out_of_sample:
        return (
            f"no challenger can be judged against {champion.live}, since its training data are unknown: "
            f"{needs_a_person(challenger)}"
        )
    return None


def _less_than_ungated(challenger: Scorecard, ungated: Scorecard) -> str:
    ours, theirs = challenger.total_return, ungated.total_return
    return (
        f"{challenger.name} made LESS than taking every idea: {figure(ours, theirs)} of capital against "
        f"{figure(theirs, ours)} ungated (Sharpe {figure(challenger.sharpe)} against {figure(ungated.sharpe)})"
    )
