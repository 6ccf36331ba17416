"""Who would have been the primary, week after week? The promotion rule, on challengers that are there already."""

from dataclasses import dataclass
from datetime import datetime

from gatekeeper.config import Settings
from gatekeeper.errors import DataError
from gatekeeper.judgement import backtest
from gatekeeper.judgement.backtest import Contender
from gatekeeper.judgement.promotion import judge
from gatekeeper.judgement.verdict import Policy, PolicyName
from gatekeeper.rehearsal.weeks import Week

FLOORS = ("comparable", "enough", "defined")
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Look:
    """What one Monday would have said. `answer` is a verdict's, or `refused` where no challenger could be made."""

    as_of: datetime
    answer: str
    kind: str
    decided_by: str
    message: str
    gain: float | None = None
    bound: float | None = None
    promoted: bool = False

    @property
    def under_the_floors(self) -> bool:
        """Was there too little to judge by?"""
        return self.answer == REFUSED or (self.answer == "undecided" and self.decided_by in FLOORS)


class Governance:
    """One policy's registry, in memory: who is the primary, and what each look said."""

    def __init__(self, policy: PolicyName, settings: Settings) -> None:
        self.policy = policy
        self._settings = settings
        self.primary: Contender | None = None
        self.before: Contender | None = None
        """Whom the primary replaced."""
        self.looks: list[Look] = []

    def look(self, week: Week, challenger: Contender | None) -> Look:
        """One Monday: judged as the weekly step judges, and promoted where the verdict says so."""
        if challenger is None or week.dataset is None:
            said = Look(week.as_of, REFUSED, "weekly", REFUSED, week.refusal or "no challenger")
        else:
            said = self._judged(week, challenger)
            if said.promoted:
                self.before, self.primary = self.primary, challenger
        self.looks.append(said)
        return said

    def _judged(self, week: Week, challenger: Contender) -> Look:
        kind = "bootstrap" if self.primary is None else "weekly"
        if week.dataset is None:
            raise DataError(f"the week of {week.name} has no ideas; rehearse it again")
        measured = backtest.run(week.dataset, self._settings, challenger, self.primary)
        rule = Policy.from_settings(self._settings, measured.periods_per_year).with_name(self.policy)
        verdict = judge(measured.challenger, measured.champion, rule, measured.ungated, kind=kind)
        return Look(
            as_of=week.as_of,
            answer=verdict.answer,
            kind=kind,
            decided_by=verdict.decided_by,
            message=verdict.message,
            gain=verdict.gain,
            bound=verdict.bound,
            promoted=verdict.answer == "promote",
        )
