"""Standby models: those of the desk that could be promoted, scored on the live ideas since each exists."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from gatekeeper.documents.check import CheckedModel, Shadow, ShadowModel
from gatekeeper.errors import AsOfError, DataError, ModelRefused
from gatekeeper.logs import logger
from gatekeeper.pipeline.monitoring.live_ideas import REPLAYED, Seen
from gatekeeper.pipeline.weekly.evaluate import contender
from gatekeeper.pipeline.weekly.run import DAG_ID, parse_as_of
from gatekeeper.registry import Model, Registry
from gatekeeper.settings import Settings

if TYPE_CHECKING:
    from gatekeeper.documents.rules import Rules
    from gatekeeper.judgement.backtest.contender import Contender

log = logger("gatekeeper")

MOST = 20
"""Models that one check scores, the newest first: 20 make a check of 10,000 ideas take about 15 % longer."""


def shadow(registry: Registry, settings: Settings, found: Seen, rules: "Rules", primary: "Contender") -> Shadow:
    """What each standby model would have made by these rules. No verdict, breaker or promotion reads it.

    A model counts from the moment that it exists, on ideas that started later and whose outcome is known.
    """
    from gatekeeper.judgement.live.shadow import ShadowWindow, Standby

    stage = ShadowWindow(found.dataset, rules, primary, found.since)
    models: list[ShadowModel] = []
    left_out: dict[str, str] = {}
    there = list(_there(registry, found, primary.sha256, left_out))
    for model, since in there[:MOST]:
        try:
            opened = contender(settings, registry, model)
            models.append(stage.measure(Standby(CheckedModel(model.id, model.version, model.sha256), opened, since)))
        except (ModelRefused, DataError) as fault:
            log.warning("%s is left out of the shadow: %s", model.version, fault)
            slug = fault.reason if isinstance(fault, ModelRefused) else "scores"
            left_out[model.version] = f"it can't be loaded ({slug})"
    older = max(0, len(there) - MOST)
    return Shadow(tuple(models), MOST, older, left_out, _text(models, older, left_out))


def _there(registry: Registry, found: Seen, primary: str, left_out: dict[str, str]) -> Iterator[tuple[Model, datetime]]:
    """The models that exist at the as-of and aren't quarantined, newest first, each with the start of its ideas."""
    met = {primary}
    for model in registry.models():
        if model.sha256 is None or model.fault is not None or model.sha256 in met:
            continue
        met.add(model.sha256)
        since = exists_since(model, replayed=found.source == REPLAYED)
        if since is None:
            left_out[model.version] = "the time of its registration is unknown"
        elif since < found.dataset.as_of and registry.quarantined(model.sha256) is None:
            yield model, since


def exists_since(model: Model, *, replayed: bool) -> datetime | None:
    """From when on its ideas are new to the model: its registration, never before its training data end.

    On replayed ideas, whose time is that of the as-ofs, the as-of of the weekly run that made it. None if unknown.
    """
    known = [one for one in (_run_as_of(model) if replayed else None, model.created_at) if one is not None]
    if not known:
        return None
    return max(known[0], model.trained_to) if model.trained_to else known[0]


def _run_as_of(model: Model) -> datetime | None:
    name, _, rest = (model.run_key or "").partition("/")
    if name != DAG_ID:
        return None
    try:
        return parse_as_of(rest.partition("/")[0])
    except AsOfError:
        return None


def _text(models: list[ShadowModel], older: int, left_out: dict[str, str]) -> str:
    if not models and not left_out:
        return "no standby model to compare with"
    better = sum(1 for one in models if one.gain is not None and one.gain_error and one.gain > 2 * one.gain_error)
    text = f"{len(models)} standby model{'' if len(models) == 1 else 's'} in the shadow"
    text += f", {better} of them over the primary by more than 2 standard errors"
    if older:
        text += f"; {older} older ones not scored (at most {MOST} are)"
    return text + (f"; left out: {', '.join(left_out)}" if left_out else "")
