"""Selection: what a promoted model's backtest promises, since it was promoted for a good backtest."""

import math
from statistics import NormalDist

from gatekeeper.judgement.statistics.track_record import expected_maximum

SCEPTICAL = NormalDist().inv_cdf(0.95)


def shrunk(gain: float, error: float, of_interest: float) -> tuple[float, float]:
    """Posterior mean and standard deviation of a gain that was measured with that standard error.

    A model is promoted because its measured gain was large, so that gain is too large on average: the winner's curse.
    The prior is the sceptical one of Spiegelhalter, Freedman & Parmar (1994): N(0, t²), with a chance of 5 % that the
    true gain exceeds the gain `of_interest`, so t = of_interest / 1.645. Then the mean is gain x B and the variance
    error² x B, where B = t² / (t² + error²). Whatever rule selected the model by its measured gain, the posterior
    stays the same (Dawid 1994).
    """
    prior = (of_interest / SCEPTICAL) ** 2
    kept = prior / (prior + error**2)
    return gain * kept, error * math.sqrt(kept)


def surprise(gain: float, error: float, realised: float, realised_error: float, least: float | None) -> float | None:
    """Realised gain against the measured one, as a standard normal, given that only gains over `least` are promoted.

    Without a `least`: their difference in standard errors. With it, a model that keeps its promise falls below its
    measured gain on average, whatever its true gain is. But given the mean of both gains, weighted by their precision,
    the measured one is normal around it and cut off at `least`, without the true gain: its place there is uniform
    (Cohen & Sackrowitz 1989 condition like this). Negative if less was realised than that; None without an error.
    """
    from scipy.special import log_ndtr, ndtri_exp

    both = math.hypot(error, realised_error)
    if both <= 0 or error <= 0:
        return None
    if least is None or gain <= least:
        return (realised - gain) / both
    spread = error**2 / both
    mean = gain - (gain - realised) * (error / both) ** 2
    place = log_ndtr((mean - gain) / spread) - log_ndtr((mean - least) / spread)
    return float(ndtri_exp(min(float(place), -1e-300)))


def luck(compared: int, alike: float, days: int) -> float:
    """Sharpe per day by which the luckiest of that many equally good backtests exceeds its own truth, on average.

    The expected maximum of Bailey & López de Prado (2014), eq. 1, in standard errors of a Sharpe of `days` days. What
    the models have in common favours none of them, so only the part that isn't `alike` (their correlation) counts.
    """
    own = math.sqrt(1 - min(max(alike, 0.0), 1.0))
    return own * expected_maximum(max(compared, 1)) / math.sqrt(days)
