"""Command `data`: the data passport of a source, as a screen, as JSON and as a page."""

import shlex
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.show import LocalPath, as_json, echo, json_option
from gatekeeper.errors import ConfigError, DataError, GatekeeperError, StaleData
from gatekeeper.secret_urls import hide_all

if TYPE_CHECKING:
    from gatekeeper.documents.passport import Passport
    from gatekeeper.market.data.passport.reading import Reading
    from gatekeeper.market.ideas import Dataset
    from gatekeeper.market.sources import Known
    from gatekeeper.rehearsal.prospects import Prospects
    from gatekeeper.settings import Settings


@click.command(short_help="Data passport: what a source holds, and what is wrong with it.")
@click.argument("uri", required=False)
@click.option("--as-of", "as_of", help="Use no data after this instant; default the last Monday that the data cover.")
@click.option("--strict", is_flag=True, help="Exit with 1 also if there is a warning.")
@click.option(
    "-o", "--output", type=LocalPath(dir_okay=False, path_type=Path), help="HTML page with a picture of each symbol."
)
@json_option
def data(uri: str | None, as_of: str | None, strict: bool, output: Path | None, as_json_: bool) -> int:
    """Data passport: how the files of a source were read, what is wrong with them, and what can be judged with them.

    URI is candles:PATH or ideas:PATH, or the path of a file, a folder or a glob alone; default GATEKEEPER_DATA. Exits
    with 1 if a weekly run would refuse the data.

    Example: gatekeeper data bars/ -o page.html
    """
    from gatekeeper import config, pipeline

    settings = config.load()
    if as_of is not None:
        moment = pipeline.parse_as_of(as_of)
        if moment > datetime.now(UTC):
            raise click.BadParameter(f"{as_of} lies in the future.", param_hint="--as-of")
    found = _Found.of(uri, settings, None if as_of is None else moment)
    page = None if output is None else found.write(output)
    if as_json_:
        as_json(found.as_object(page))
    else:
        found.show()
        if page is not None:
            echo(f"Wrote {page}.")
    passport = found.passport
    refused = found.refusal is not None or (passport is not None and bool(passport.refused))
    return 1 if refused or (strict and passport is not None and bool(passport.warnings)) else 0


class _Found:
    """What was found of a source, as far as it could be read."""

    def __init__(self, settings: "Settings", reading: "Reading") -> None:
        self.settings, self.reading = settings, reading
        self.dataset: Dataset | None = None
        self.passport: Passport | None = None
        self.prospects: Prospects | None = None
        self.refusal: str | None = None
        self.mapping = ""
        """The `columns` to check and fill in, if the shape of a file is unknown."""

    @classmethod
    def of(cls, uri: str | None, settings: "Settings", as_of: datetime | None) -> "_Found":
        """The source of `uri`. A path alone holds bars, or else labelled ideas."""
        if uri is None:
            return cls._read(settings, as_of)
        if _has_scheme(uri):
            return cls._read(_with(settings, uri), as_of)
        bars = cls._read(_with(settings, f"candles:{uri}"), as_of)
        if bars.refusal is None or not (bars.reading.files or bars.mapping):
            return bars
        try:
            ideas = cls._read(_with(settings, f"ideas:{uri}"), as_of)
        except ConfigError:  # a mapping of bars' columns
            return bars
        if ideas.refusal is None or (bars.mapping and "has no column" not in ideas.refusal):
            return ideas  # their columns are known, so what is wrong is wrong with ideas
        return bars

    @classmethod
    def _read(cls, settings: "Settings", as_of: datetime | None) -> "_Found":
        from gatekeeper.market.data.passport.assembly import assembled
        from gatekeeper.market.data.passport.facts import a_year
        from gatekeeper.market.data.passport.reading import Reading
        from gatekeeper.rehearsal.prospects import prospects

        found = cls(settings, Reading())
        now = datetime.now(UTC)
        try:
            found._load(as_of, now)
        except GatekeeperError as fault:
            if isinstance(fault, ConfigError) and not found.reading.files:
                raise
            found.refusal = hide_all(fault)
            found.mapping = hide_all(fault.mapping) if isinstance(fault, DataError) else ""
        if found.dataset is not None:
            found.passport = found.dataset.passport
            found.prospects = prospects(found.dataset, settings, a_year(found.dataset))
        elif found.reading.files:
            found.passport = assembled(found.reading, None, source=str(settings.data), as_of=as_of or now)
        return found

    def _load(self, as_of: datetime | None, now: datetime) -> None:
        from gatekeeper.market import sources
        from gatekeeper.rehearsal.plan import covered

        known = sources.opened(self.settings.data, self.settings, self.reading)
        try:
            self.dataset = self._known(known, as_of or sources.last_monday(self.settings.data, now))
        except StaleData as stale:
            if as_of is not None or stale.newest is None:
                raise
            self.dataset = self._known(known, covered(stale.newest))

    def _known(self, known: "Known", as_of: datetime) -> "Dataset":
        """The dataset, even if its checks refuse it: their findings stand in the passport."""
        from gatekeeper.market.data.passport.assembly import assembled
        from gatekeeper.market.findings import Severity

        try:
            return known(as_of, checked=True)
        except DataError:
            findings = self.reading.findings
            if not any(each.severity is Severity.REFUSED for each in findings):
                raise
        dataset = known(as_of)
        self.reading.findings = findings
        return replace(dataset, passport=assembled(self.reading, dataset, source=dataset.source, as_of=dataset.as_of))

    @property
    def use(self) -> str:
        """The line to use, from any folder: Airflow and servers are started in others."""
        scheme, _, place = str(self.settings.data).partition(":")
        local = scheme in ("candles", "ideas") and ":" not in place
        return f"export GATEKEEPER_DATA={shlex.quote(f'{scheme}:{Path(place).absolute() if local else place}')}"

    @property
    def again(self) -> str:
        """The command that reads the same source once more."""
        return f"gatekeeper data {shlex.quote(str(self.settings.data))}"

    def show(self) -> None:
        """The screen."""
        from gatekeeper.cli.data_screen import show

        show(self.passport, self.prospects, self.refusal, self.use, self.mapping, self.again)

    def write(self, place: Path) -> Path | None:
        """Write the page; None if nothing could be read. Raises Unavailable if it can't be written."""
        from gatekeeper.files import write_whole
        from gatekeeper.judgement.report import data_page

        if self.passport is None:
            return None
        book = self.reading.adjusted or self.reading.book
        page = data_page.render(self.passport, self.prospects, self.refusal, self.use, book, self.dataset)
        write_whole(place, page.encode())
        return place

    def as_object(self, page: Path | None) -> dict[str, object]:
        """All of it as plain values."""
        from gatekeeper.documents import passport as passports

        return {
            "use": self.use,
            "refusal": self.refusal,
            "mapping": self.mapping or None,
            "passport": None if self.passport is None else passports.as_object(self.passport),
            "prospects": None if self.prospects is None else asdict(self.prospects),
            "page": None if page is None else str(page),
        }


def _with(settings: "Settings", uri: str) -> "Settings":
    from gatekeeper.config import override

    return override(settings, {"data": uri})


def _has_scheme(uri: str) -> bool:
    """Whether a word stands before the first colon that names a source, and not a store or a drive."""
    from gatekeeper.market import sources

    return uri.partition(":")[0] in sources.schemes() and ":" in uri


COMMANDS: dict[str, click.Command] = {"data": data}
