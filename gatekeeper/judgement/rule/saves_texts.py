"""Text of the gate `saves`: two models compared by what they made of capital (promotion.py decides)."""

from gatekeeper.documents.evaluation import Gate, Number
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.gains import Gains
from gatekeeper.judgement.rule.gate_texts import counted, figure, inert, is_or_not, power_of, precision_numbers
from gatekeeper.judgement.rule.verdict import Gain, Policy


def saves(
    passed: bool | None, over: bool, challenger: Scorecard, champion: Scorecard, found: Gains, policy: Policy
) -> Gate:
    """The gate `saves` with its text and numbers; over: whether the gain itself is over the margin."""
    gain = found.capital or Gain()
    compared = f"{_reason(challenger, champion, found, policy)}, so what they made of capital is compared"
    if gain.value is None:
        return Gate("saves", passed, _numbers(gain, policy, over=over), f"{compared}: neither made or lost anything")
    text = (
        f"{compared}: the gain of "
        f"{figure(gain.value, policy.margin)}, in annual Sharpe of the wilder one, {is_or_not(over)} over the margin "
        f"of {policy.margin:g}"
    )
    if policy.tolerance is not None and gain.bound is not None:
        limit = -policy.tolerance if policy.tolerance else 0.0
        is_sure = gain.bound > limit
        text += f"; its lower confidence bound of {figure(gain.bound, limit)} {is_or_not(is_sure)} over {limit:g}"
        text += inert(gain, policy)
        if over and not is_sure:
            text += power_of(challenger, gain, policy)
    if gain.loss is not None and gain.loss_bound is not None:
        text += (
            f". What only the champion approved {'lost' if gain.loss >= 0 else 'made'} {_percent(abs(gain.loss))} of "
            f"capital (lower confidence bound of the loss: {_percent(gain.loss_bound)})"
        )
    return Gate("saves", passed, _numbers(gain, policy, over=over), text)


def _numbers(gain: Gain, policy: Policy, *, over: bool) -> dict[str, Number]:
    """The numbers that decided it."""
    return {
        "gain": gain.value,
        "margin": policy.margin,
        **precision_numbers(gain, policy),
        "detectable_gain": gain.detectable if over else None,
        "days_needed": gain.days_needed,
        "champion_alone_lost": gain.loss,
        "champion_alone_lost_bound": gain.loss_bound,
    }


def _reason(challenger: Scorecard, champion: Scorecard, found: Gains, policy: Policy) -> str:
    """The reason that the gain in capital is asked for."""
    if not found.in_capital:
        return "one of the two made nothing over the risk-free rate, and of two losers the wilder one may look better"
    few = [
        f"{role} entered {counted(card.taken_trades, 'trade')} (floor {policy.floor_trades})"
        for role, card in (("challenger", challenger), ("champion", champion))
        if card.taken_trades < policy.floor_trades
    ]
    return " and ".join(few) if few else "one of the two has no Sharpe ratio"


def _percent(part: float) -> str:
    return f"{100 * part:.3g} %"
