"""Commands `monitor` and `alarms`: the daily check of the primary, and a test of the alarms."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.hints import with_desk
from gatekeeper.cli.show import as_json, echo, json_option, table
from gatekeeper.errors import ConfigError

if TYPE_CHECKING:
    from gatekeeper.documents.check import ShadowModel
    from gatekeeper.registry.promotion.checks import Check

CARD = ("name", "ideas", "kept_trades", "sharpe", "total_return", "max_drawdown", "win_rate")
SHADOW = ("standby", "since", "ideas", "approved", "return", "error", "Sharpe", "error", "gain", "error")


@click.command()
@click.option("--as-of", "as_of", help="Use no data after this instant; default now.")
@json_option
def monitor(as_of: str | None, as_json_: bool) -> None:
    """Check the primary since its promotion.

    Checks performance, drift and the circuit breaker, and compares with the model before it and with taking every
    trade, as the DAG gatekeeper_monitor does each day. With GATEKEEPER_BREAKER=rollback, a drawdown beyond the
    breaker's bound rolls back to the model before it.
    """
    from gatekeeper import config, pipeline
    from gatekeeper.documents import check as checks
    from gatekeeper.documents import step_output
    from gatekeeper.pipeline import alarms
    from gatekeeper.pipeline.monitoring import monitor as monitors
    from gatekeeper.registry import Registry

    now = datetime.now(UTC)
    with alarms.tells_of_faults(config.alarms_alone(), as_of or f"{now:%Y-%m-%dT%H:%M:%SZ}", "gatekeeper monitor"):
        settings = config.load()
        instant = pipeline.parse_as_of(as_of) if as_of else now
        with Registry.configured(settings) as registry:
            done = monitors.monitor(instant, registry, settings, now=now)
    if as_json_:
        document = checks.as_object(done.check.document) if done.check else None
        as_json({**step_output.written(done.output), "desk": settings.desk, "document": document})
        return
    echo(with_desk(done.summary))
    if done.check is not None:
        _show(done.check)


def _show(check: "Check") -> None:
    breaker, drift, shadow = check.document.breaker, check.document.drift, check.document.shadow
    echo()
    table(
        ("", "name", "ideas", "approved", "Sharpe", "total return", "max drawdown", "win rate"),
        [(role, *(getattr(card, column) for column in CARD)) for role, card in check.document.scorecards],
        empty="",
    )
    if breaker.bound is not None and breaker.p is not None:
        what = "drawdowns" if breaker.horizon is None else "years"
        echo("", f"breaker: {breaker.text}; {breaker.p:.3f} of the simulated {what} are as deep")
    if drift and drift.shifts:
        echo()
        rows = [(one.name, one.distance, one.bound, one.independent, one.drifted) for one in drift.shifts]
        table(("feature", "distance", "bound", "independent ideas", "drifted"), rows, empty="")
    if shadow and shadow.models:
        echo("", "Standby models on the ideas since each exists, with standard errors; no verdict uses them.")
        echo("Gain: annual Sharpe over the primary's since both exist. A dash: too few ideas for that.")
        table(SHADOW, [_shadowed(one) for one in shadow.models], empty="")


def _shadowed(one: "ShadowModel") -> tuple[object, ...]:
    """A line of the table: the model, and what it would have made."""
    made = (one.total_return, one.total_return_error, one.sharpe, one.sharpe_error, one.gain, one.gain_error)
    return (one.model.version, f"{one.since:%Y-%m-%d}", one.ideas, one.approved, *made)


@click.group()
def alarms() -> None:
    """Test the alarms. GATEKEEPER_ALARMS sets the receivers, GATEKEEPER_ALARM_LEVELS the levels."""


@alarms.command("test")
@json_option
def rehearse(as_json_: bool) -> int:
    """Send a test message to every receiver. Exits with 0 only if all have received it."""
    from gatekeeper import config
    from gatekeeper.pipeline import alarms as sending

    settings = config.load()
    if not settings.alarms.each():
        raise ConfigError(
            "GATEKEEPER_ALARMS is empty, so no alarms are sent. Set it to Apprise URLs (docs/how-to/alarms.md)."
        )
    sent = sending.rehearse(settings)
    if as_json_:
        deliveries = [{"receiver": one.receiver, "fault": one.fault} for one in sent]
        as_json({"levels": sending.levels(settings), "receivers": deliveries})
    else:
        for one in sent:
            echo(f"{'arrived' if one.fault is None else 'FAILED '}  {one.receiver}  {one.fault or ''}".rstrip())
    return 0 if all(one.fault is None for one in sent) else 1


COMMANDS: dict[str, click.Command] = {"monitor": monitor, "alarms": alarms}
