"""Reference of stored and exchanged documents: every key of the top levels, and what it means.

A record class with docstrings below its fields speaks for itself (`field_docs`); what is still a plain dictionary is
described here. A test compares this with documents of real runs, both ways.
"""

from collections.abc import Mapping

from markdown import code, page, sentence, table

from gatekeeper.judgement.report.document import FORMAT as EVALUATION_FORMAT
from gatekeeper.pipeline.monitoring.check_document import FORMAT as CHECK_FORMAT
from gatekeeper.registry.decision_log import line_format
from gatekeeper.registry.views.receipts import FORMAT as RECEIPT_FORMAT

Keys = Mapping[str, str]

CARD: Keys = {
    "name": "name of the model, or `ungated`",
    "model_id": "its id in the registry; null for the ungated stream",
    "sha256": "SHA-256 of its bytes; null for the ungated stream",
    "threshold": "score below which it vetoes",
    "trained_to": "last outcome in its training data; null if unknown",
    "tested": "false if it was not scored because it has the other model's very bytes",
    "out_of_sample": "whether the window begins after everything that it was trained on",
    "ideas": "ideas in the window",
    "kept_trades": "ideas that it approved",
    "passed_over": "approved ideas that were not taken because too many positions were open",
    "win_rate": "share of its trades with a positive outcome; null without a trade",
    "sharpe": "annual Sharpe ratio of the daily returns; null if undefined",
    "total_return": "sum of the daily returns, as a fraction of the initial capital",
    "max_drawdown": "largest fall from a peak, as a fraction of the initial capital",
    "daily": "net return of each market day, as a fraction of the initial capital",
}

EVALUATION: Keys = {
    "format": f"number of this format: {EVALUATION_FORMAT}",
    "window": "the backtest window",
    "window.start": "instant after which ideas count",
    "window.end": "instant before which ideas count",
    "window.as_of": "instant beyond which nothing was known",
    "window.days": "number of market days",
    "window.bound_by": "what moved the start: the holdout, or the data of a model",
    "window.ready": "first as-of at which the window is long enough, if it is too short; else null",
    "days": "the market days, as dates",
    "scorecards": "by role: `challenger`, `champion` (null for a first model), `ungated` (every idea taken)",
    **{f"scorecards.ROLE.{name}": text for name, text in CARD.items()},
    "verdict": "the answer, and what it follows from",
    "verdict.answer": "`promote`, `keep` or `undecided`",
    "verdict.kind": "`weekly`, `bootstrap`, `recovery` or `what-if`",
    "verdict.policy": "`better`, `safe` or `proven`",
    "verdict.gates": "each gate in order: `name`, `passed` (null if it can't be told), `numbers`, `text`",
    "verdict.decided_by": "first gate that failed, or `all gates`",
    "verdict.message": "the verdict as a sentence",
    "verdict.alert": "whether a person should look at it",
    "verdict.gain": "challenger's annual Sharpe minus the champion's; null if undefined",
    "verdict.standard_error": "standard error of the gain",
    "verdict.bound": "lower confidence bound of the gain",
    "verdict.p": "one-sided p-value of the gain",
    "verdict.differing": "ideas that the two models decided differently",
    "verdict.detectable_gain": "smallest gain that the window can show with the policy's power",
    "policy": "the settings of the promotion rule that held, by name",
    "policies": "by policy: what each would have said (`answer`, `decided_by`, `message`)",
    "trades": "by role: number, win rate, mean and total outcome of the `kept` and the `vetoed` ideas",
    "agreement": "ideas by decision of both models; null without two models that were scored",
    "agreement.both_kept": "approved by both",
    "agreement.only_challenger": "approved by the challenger alone",
    "agreement.only_champion": "approved by the champion alone",
    "agreement.both_vetoed": "vetoed by both",
    "scores": "by role: histogram of the scores (`edges`, `counts`)",
    "outcomes": "histogram of the outcomes that the challenger kept and vetoed (`edges`, `kept`, `vetoed`)",
    "details": "breakdown by score, month, symbol and strategy",
    "details.calibration": "by role: per bin of the score, how often such ideas won",
    "details.slices": "by slice: outcomes of the kept and the vetoed ideas",
    "details.flips": "ideas that the two models decided differently, the newest first",
    "costs": "costs by stream, as fractions of capital; null if the source tells none",
    "costs.parts": "names of the parts, such as commission and spread",
    "costs.streams": "by role: gross, each part, net",
    "rules": "rules by which the returns were computed",
    "rules.periods_per_year": "market days in a year",
    "rules.marked": "true if open trades are valued each day, false if booked on the day of exit",
    "rules.fraction": "part of the initial capital in each trade",
    "rules.risk_free": "annual risk-free rate",
    "rules.sizing": "the sizing rule",
    "rules.rates": "the cost rates",
    "rules.calendars": "exchange calendar of each symbol",
    "data": "the market data",
    "data.source": "where they came from; passwords are masked",
    "data.newest": "newest bar or idea",
    "data.notes": "what was noted while reading",
    "data.fingerprint": "digest of the ideas",
    "looks": "weekly runs of the last year and the budget of false promotions",
    "looks.days": "length of that year in days",
    "looks.spent": "runs that compared two models, this one included",
    "looks.as_ofs": "number of as-ofs among them",
    "looks.promoted": "how many of the others promoted",
    "looks.alpha": "significance of one run; null for policy better",
    "looks.allowed": "false promotions that the budget allows in so many runs; null for policy better",
    "training": "how the challenger was made; only if this run made it",
    "training.recipe": "name of the recipe",
    "training.seed": "random seed",
    "training.parameters": "parameters of the estimator",
    "training.ideas": "number of training ideas",
    "training.wins": "winning ideas among them",
    "training.trained_from": "first idea",
    "training.trained_to": "last outcome",
    "training.cutoff": "instant after which nothing was used",
    "training.fingerprint": "digest of the training ideas",
    "twins": "refits that stand behind the judged models; only with `GATEKEEPER_DEPLOY=refit`",
    "twins.challenger": "the refit that would be deployed, and how it decided the window's ideas",
    "twins.champion": "the live refit that the champion was judged for",
    "league": "all contenders of this week; only with `GATEKEEPER_LEAGUE=true`",
    "league.contenders": "each with its gain, error, bounds and daily returns",
    "league.challenger": "position of the one that this evaluation is of",
    "league.winner": "position of the one with the largest gain that passed; null if none did",
    "league.test": "the test of the best of many (`critical`, `p`, `block`, `draws`, `seed`)",
    "league.left_out": "models that could not compete, and why",
}

CHECK: Keys = {
    "format": f"number of this format: {CHECK_FORMAT}",
    "as_of": "instant beyond which the check knew nothing",
    "primary": "the primary that was checked: `model_id`, `version`, `sha256`",
    "before": "the primary before it, the same; null if there was none",
    "promotion": "`generation` and `kind` of the promotion since which it is primary",
    "evaluation": "id of the evaluation that speaks for it; null if there is none",
    "since": "instant from which ideas count",
    "source": "kind of ideas: replayed or logged ones",
    "data": "where they came from",
    "ideas": "ideas whose outcome is known",
    "days": "market days",
    "enough": "whether they are enough for a Sharpe ratio",
    "floor": "fewest trades for that",
    "market_days": "the market days, as dates",
    "scorecards": "by role: `primary`, `before`, `ungated`; keys as in an evaluation",
    "gain": "the gain over the model before, in annual Sharpe",
    "gain.predicted": "by the evaluation; null if it was against another model",
    "gain.predicted_error": "its standard error",
    "gain.realised": "since the promotion; null if too little is known",
    "gain.realised_error": "its standard error",
    "gain.surprise": "realised minus predicted, in standard errors",
    "breaker": "the circuit breaker",
    "breaker.tripped": "whether the live drawdown is too deep",
    "breaker.drawdown": "live drawdown, as a fraction of capital",
    "breaker.bound": "drawdown beyond which it trips; null if the days can't tell",
    "breaker.p": "share of draws from the backtest's days that fell as deep",
    "breaker.level": "quantile that the bound is (`GATEKEEPER_BREAKER_LEVEL`)",
    "breaker.days": "live days",
    "breaker.backtest_days": "days of the backtest",
    "breaker.block": "block length of the bootstrap, in days",
    "breaker.text": "the same as a sentence",
    "drift": "shift of features and score since the backtest; null if there is nothing to compare with",
    "drift.ideas": "live ideas compared",
    "drift.reference": "ideas of the backtest",
    "drift.level": "confidence level of the bounds",
    "drift.shifts": "each column: `name`, `distance`, `bound`, `drifted`",
    "drift.text": "the same as a sentence",
    "drift.drifted": "names of the columns beyond their bound",
    "servers": "who answered logged ideas; null if the ideas were not logged",
    "notes": "what was noted",
    "text": "the whole check as a sentence",
}

RECEIPT: Keys = {
    "format": f"number of this format: {RECEIPT_FORMAT}",
    "made_by": "version of Gatekeeper that wrote it",
    "model": "the model's row: every column of `RLModel` and `gatekeeper_artifact`, but for path and canary",
    "evaluation": "the evaluation's row with its document; null if the model was never evaluated",
    "history": "every promotion, each with its hash over itself and the one before",
    "twin": "the judged model (`model_id`, `sha256`); only for a refit",
    "digest": "SHA-256 over all other keys, as canonical JSON",
}

IDEA_LINE: Keys = {
    '"idea"': "kind of the line",
    "idea_id": "name of the idea, by which its outcome is reported",
    "at": "when the server received it",
    "time": "the idea's own time",
    "symbol": "its symbol",
    "strategy": "its strategy, or null",
    "features": "the seven features, as the text of a JSON array",
    "score": "the score, or null if no model answered",
    "approved": "1 or 0",
    "threshold": "score below which it was to be vetoed",
    "model_id": "model that answered, or null",
    "sha256": "its bytes, or null",
    "degraded": "1 if a model other than the primary answered, or none; else 0",
}

OUTCOME_LINE: Keys = {
    '"outcome"': "kind of the line",
    "idea_id": "the idea that was closed",
    "outcome": "net return, as a fraction of the entry price",
    "closed_at": "when the trade was closed",
    "known_at": "when the outcome was known",
    "stated": "1 if the sender stated known_at, 0 if it is the time of receipt",
    "at": "when the server received it",
}

ABOUT = """All are JSON with finite numbers or null, and instants in ISO 8601. A document of another format number is
refused by name; what an older version of the same format lacks reads as absent. *Role* is `challenger`, `champion` or
`ungated`."""

LINES = """A line of the spool (`GATEKEEPER_SPOOL`) is a JSON array; its values come in this order. Times are
`YYYY-MM-DD hh:mm:ss.ffffff` in UTC."""


def made() -> str:
    """The page."""
    assert line_format.IDEA == "idea"
    assert line_format.OUTCOME == "outcome"
    return page(
        "Documents and receipts",
        ABOUT,
        "## Evaluation document",
        "In the column `document` of `gatekeeper_evaluation`; report, card and `gatekeeper explain` are made from it.",
        keys(EVALUATION),
        "## Check document",
        "In the column `document` of `gatekeeper_check`; the monitor writes one for each as-of and primary.",
        keys(CHECK),
        "## Receipt",
        "The file that `gatekeeper receipt` writes and `gatekeeper verify` proves.",
        keys(RECEIPT),
        "## Decision line",
        LINES,
        values(IDEA_LINE),
        "## Outcome line",
        values(OUTCOME_LINE),
    )


def keys(known: Keys) -> str:
    """Keys with their meaning; a point goes one level down."""
    return table(["key", "meaning"], [[code(name), sentence(text)] for name, text in known.items()])


def values(known: Keys) -> str:
    """Values of an array with their meaning."""
    rows = [[number, code(name), sentence(text)] for number, (name, text) in enumerate(known.items(), 1)]
    return table(["place", "value", "meaning"], rows)
