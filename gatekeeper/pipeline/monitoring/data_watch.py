"""Watch of the market data: today's data passport against that of the newest weekly run."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.pipeline.monitoring.live_ideas import REPLAYED, Seen, logs_only
from gatekeeper.pipeline.weekly.read_data import last_passport
from gatekeeper.registry import Registry
from gatekeeper.settings import Settings

if TYPE_CHECKING:
    from gatekeeper.documents.passport import FindingRecord, Passport


class DataWatch:
    """The data as read by one check. reading: what reads them has to note it there."""

    def __init__(self, registry: Registry, settings: Settings, as_of: datetime) -> None:
        from gatekeeper.market.data.passport.reading import Reading

        self._settings, self._as_of = settings, as_of
        self._before = last_passport(registry, str(settings.data), as_of)
        self.reading = Reading(self._before)

    def warnings(self, seen: Seen, notes: list[str]) -> "tuple[FindingRecord, ...] | None":
        """What is new about the data since the newest weekly run; None if there is nothing to compare.

        Logged ideas say nothing about bars, so with them the data are read once more; why that fails is noted.
        """
        from gatekeeper.market import sources

        if self._before is None or logs_only(self._settings):
            return None
        passport = seen.dataset.passport if seen.source == REPLAYED else None
        if passport is None:
            try:
                passport = sources.load(self._settings.data, self._as_of, self._settings, self.reading).passport
            except GatekeeperError as fault:
                notes.append(f"the data can't be compared with those of the last weekly run: {fault}")
        return None if passport is None else _new(self._before, passport, self._settings)


def _new(before: "Passport", now: "Passport", settings: Settings) -> "tuple[FindingRecord, ...]":
    from gatekeeper.market.data.passport.assembly import recorded
    from gatekeeper.market.data.passport.compared import changes

    known = {(each.kind, each.symbol, each.at) for each in before.warnings}
    new = [each for each in now.warnings if (each.kind, each.symbol, each.at) not in known]
    moved = changes(before, now, timedelta(days=settings.freshness_days))
    return (*new, *(recorded(each) for each in moved))
