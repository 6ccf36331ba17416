"""Registry: the public API of the model registry, for all other packages, DAGs and commands."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from gatekeeper.errors import ConfigError
from gatekeeper.registry.context import SIZE_CAP, DatabaseUrl, ModelsPlace, RegistryContext, Step, no_step
from gatekeeper.registry.db import schema
from gatekeeper.registry.db.continuity import Continuity
from gatekeeper.registry.decision_log import log
from gatekeeper.registry.decision_log.line_format import Outcome
from gatekeeper.registry.models import catalogue, refits, registration, retirement
from gatekeeper.registry.models.verification import refuse_unregistered
from gatekeeper.registry.promotion import clock, effects, eligibility, evaluations, holds, promotions, rollback
from gatekeeper.registry.promotion.approvals import Approvals
from gatekeeper.registry.promotion.checks import Checks
from gatekeeper.registry.records import Details, Evaluation, Hold, Model, Promotion, Quarantine
from gatekeeper.registry.store.base import blob_name
from gatekeeper.registry.upkeep import copy_model, doctor, rename
from gatekeeper.registry.views import receipts
from gatekeeper.registry.views.pages import Pages
from gatekeeper.settings import Settings


class Registry:
    """One registry: a database, which is the single source of truth, and a store of model files.

    Threads may share one. After any error, database and files are as they were before the call.
    """

    def __init__(self, context: RegistryContext) -> None:
        self._context = context
        self.continuity = Continuity(context.database)
        """Whether the database is still the one that this object began with."""

    @classmethod
    def open(
        cls,
        url: DatabaseUrl,
        *,
        models: ModelsPlace = "models",
        path_prefix: str = "models/",
        size_cap: int = SIZE_CAP,
        grace_seconds: int = 3600,
        threshold: float | None = None,
        step: Step = no_step,
    ) -> Self:
        """The registry at `url`. Raises ConfigError, Unavailable, and SchemaOutOfDate: it never migrates the tables.

        `threshold` is for models whose file and caller give none; default 0.55. Tests stop the process at a `step`.
        """
        context = RegistryContext.at(
            url,
            models=models,
            path_prefix=path_prefix,
            size_cap=size_cap,
            grace_seconds=grace_seconds,
            step=step,
            threshold=threshold,
        )
        try:
            with context.database.read() as connection:
                schema.refuse_other_revision(connection, context.database.name)
        except BaseException:
            context.database.close()
            raise
        return cls(context)

    @classmethod
    def configured(cls, settings: Settings) -> Self:
        """The registry that `settings` name."""
        return cls.open(
            settings.db,
            models=settings.models,
            path_prefix=settings.path_prefix,
            size_cap=settings.model_size_cap,
            grace_seconds=settings.grace_seconds,
            threshold=settings.threshold,
        )

    def close(self) -> None:
        """Close the database connections."""
        self._context.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def pages(self) -> Pages:
        """The registry read a page at a time."""
        return Pages(self._context.database)

    @property
    def approvals(self) -> Approvals:
        """The questions whether to promote, and their answers."""
        return Approvals(self._context)

    @property
    def checks(self) -> Checks:
        """The monitor's checks and the delivered alarms."""
        return Checks(self._context.database)

    # Models

    def register(
        self,
        file: str | Path | bytes,
        *,
        note: str | None = None,
        run_key: str | None = None,
        threshold: float | None = None,
        trained_to: datetime | None = None,
        details: Details | None = None,
        judged_model: int | None = None,
    ) -> Model:
        """Verify `file` and register a copy under a new row. Repeating run key and bytes returns the existing row.

        `details` come with our own exports; any other file is tried in a child process first. `judged_model`: the id of
        the model that was judged for this refit. Raises ModelRefused, ClaimsUnsettled, ConfigError, Unavailable.
        """
        return registration.register(
            self._context,
            file,
            note=note,
            run_key=run_key,
            threshold=threshold,
            trained_to=trained_to,
            details=details,
            judged_model=judged_model,
        )

    def judged_model(self, model_id: int) -> Model | None:
        """The model that was judged for this refit; None if the model is not a refit."""
        with self._context.database.read() as connection:
            found = refits.judged_model_of(connection, model_id)
            return None if found is None else catalogue.model(connection, found)

    def model(self, model_id: int) -> Model:
        """The model of this id. Raises UnknownModel."""
        with self._context.database.glance() as connection:
            return catalogue.model(connection, model_id)

    def models(self, *, limit: int | None = None, before: int | None = None) -> list[Model]:
        """All models, newest first; or a page of at most `limit` with ids below `before`."""
        with self._context.database.glance() as connection:
            return catalogue.models(connection, limit, before)

    def primary(self) -> Model | None:
        """The primary; None if there is none. Raises ClaimsUnsettled if several rows are named as the primary."""
        with self._context.database.glance() as connection:
            return catalogue.primary(connection)

    def model_bytes(self, model: Model) -> bytes:
        """The registered bytes, from the named file, else from the blob. Raises ModelRefused, Unavailable."""
        return self._context.store.find(model.file_name, refuse_unregistered(model))

    def named_bytes(self, model: Model) -> bytes:
        """The bytes at the model's path, whatever they are. Raises ModelRefused, Unavailable."""
        return self._context.store.read(model.file_name)

    def blob_bytes(self, model: Model) -> bytes:
        """The bytes at the model's blob, whatever they are. Raises ModelRefused, Unavailable."""
        return self._context.store.read(blob_name(refuse_unregistered(model)))

    @property
    def size_cap(self) -> int:
        """The size limit of a model file, in bytes."""
        return self._context.store.cap

    def restore_name(self, model: Model) -> bool:
        """Restore the named file from the blob if needed. Returns whether it holds the registered bytes now."""
        with self._context.database.write() as work:
            return evaluations.restore_name(self._context, catalogue.model(work.connection, model.id))

    # Promotions

    def promote(
        self,
        model_id: int,
        *,
        actor: str,
        reason: str,
        expected_generation: int | None = None,
        evaluation: int | None = None,
        as_of: datetime | None = None,
        run_key: str | None = None,
        kind: str = "manual",
        needs_approval: bool = False,
    ) -> Promotion:
        """Make the model the primary: by hand, or by `evaluation` (kind weekly, bootstrap or recovery) as of `as_of`.

        A run key carries out one order; with `needs_approval`, one that a person has approved. Raises KeyUsed for
        another, UnknownModel, ModelRefused, PromotionRefused (Held, Quarantined, Unapproved, EvaluationOutdated,
        GenerationMoved), AsOfError, ClockBehind, ClaimsUnsettled, ConfigError, Unavailable.
        """
        if evaluation is None and as_of is not None:
            raise ConfigError(
                f"A promotion by hand takes no as-of, but {as_of} was given: the database's clock counts."
            )
        order = promotions.PromotionOrder(
            model_id,
            actor=actor,
            reason=reason,
            kind=kind,
            expected_generation=expected_generation,
            evaluation=evaluation,
            as_of=as_of,
            run_key=run_key,
            needs_approval=needs_approval,
        )
        return promotions.promote(self._context, order)

    def examine(self, model_id: int, *, reason: str = "none", run_key: str | None = None) -> Promotion | None:
        """Check all that `promote` by hand checks, without promoting. Returns the promotion if it is done already."""
        order = promotions.PromotionOrder(model_id, actor="examiner", reason=reason, kind="manual", run_key=run_key)
        return promotions.examine(self._context, order)

    def rollback(
        self,
        *,
        actor: str,
        reason: str,
        expected_generation: int | None = None,
        run_key: str | None = None,
    ) -> Promotion:
        """Restore the previous primary, once it is verified to load, and quarantine the bytes of the current one.

        A run key rolls back once. Raises KeyUsed if it did something else, PromotionRefused, ModelRefused,
        GenerationMoved, ClockBehind, ClaimsUnsettled, Unavailable.
        """
        return rollback.roll_back(
            self._context, actor=actor, reason=reason, expected=expected_generation, run_key=run_key
        )

    def way_back(self) -> Model:
        """The model that `rollback` would restore now, verified to load. Raises PromotionRefused, ModelRefused."""
        return rollback.way_back(self._context)

    def effect(self, made: Promotion | None, because: str = "", act: str = "promoted") -> str:
        """What an act changed, read back from the registry, in one line. Without a promotion: why nothing was `act`."""
        return effects.of_act(self._context.database, made, because, act)

    def hold_effect(self, quarantine: int | None = None) -> str:
        """Whether promotions are held now, in one line; with `quarantine` (a model's id), whether its bytes are out."""
        with effects.read_back(self._context.database, "The hold, release or quarantine is stored.") as connection:
            return effects.of_hold(connection) if quarantine is None else effects.of_quarantine(connection, quarantine)

    def release_effect(self, released: Sequence[Hold], asked: int | None = None) -> str:
        """Which holds were released, and those still in force, read back, in one line. `asked`: the ordered hold."""
        with effects.read_back(self._context.database, "The release is stored.") as connection:
            return effects.of_release(connection, released, asked)

    def generation(self) -> int:
        """The number of promotions so far: it changes whenever the primary does."""
        with self._context.database.glance() as connection:
            return catalogue.generation(connection)

    def promotions(self) -> list[Promotion]:
        """The promotion history, newest first."""
        with self._context.database.glance() as connection:
            return catalogue.promotions(connection)

    def not_eligible(self, as_of: datetime, generation: int | None = None) -> str | None:
        """Why a weekly run of `as_of` can't promote, as a clause; None if it may. With `generation`, as it was then."""
        with self._context.database.read() as connection:
            return eligibility.not_eligible(connection, as_of, generation)

    def refuse_future(self, as_of: datetime) -> None:
        """Raise AsOfError if `as_of` lies beyond the database's clock, ClockBehind if a promoted as-of does."""
        with self._context.database.read() as connection:
            clock.refuse_future(connection, as_of)

    def primary_before(self, as_of: datetime) -> Model | None:
        """The primary just before `as_of`, by the promotion history."""
        with self._context.database.read() as connection:
            return catalogue.primary_before(connection, as_of)

    # Holds and quarantines

    def hold(self, *, actor: str, reason: str, until: datetime | None = None, run_key: str | None = None) -> Hold:
        """Refuse promotions by evaluation until `release`, or until the time `until`. Holds stack.

        A run key places one hold. Raises ConfigError, KeyUsed.
        """
        return holds.set_hold(self._context, actor=actor, reason=reason, until=until, run_key=run_key)

    def release(
        self,
        hold_id: int | None = None,
        *,
        every: bool = False,
        actor: str,
        reason: str = "",
        run_key: str | None = None,
    ) -> list[Hold]:
        """Release this hold, or the only one, or with `every` all; returns the released ones.

        A run key releases once. Raises PromotionRefused if several are in force and none is named, KeyUsed.
        """
        return holds.release(self._context, hold_id, every=every, actor=actor, reason=reason, run_key=run_key)

    def release_quarantine(self, model_id: int, *, actor: str, reason: str, run_key: str | None = None) -> bool:
        """Clear the quarantine of a model's bytes; False if there was none. Raises UnknownModel, KeyUsed."""
        return holds.release_quarantine(self._context, model_id, actor=actor, reason=reason, run_key=run_key)

    def holds(self) -> list[Hold]:
        """The holds in force now, by the database's time, oldest first."""
        with self._context.database.read() as connection:
            return holds.standing(connection)

    def quarantined(self, sha256: str | None) -> Quarantine | None:
        """The quarantine in force on these bytes; None if there is none."""
        with self._context.database.glance() as connection:
            return holds.quarantined(connection, sha256)

    # Evaluations

    def record_evaluation(self, **new: Unpack[evaluations.NewEvaluation]) -> Evaluation:
        """Record an evaluation, bound to the bytes of both models; the same run and models give the same row.

        Raises UnknownModel, ModelRefused, DataError, ConfigError.
        """
        return evaluations.record(self._context, **new)

    def evaluation(self, evaluation_id: int) -> Evaluation:
        """The evaluation of this id. Raises UnknownModel."""
        with self._context.database.glance() as connection:
            return evaluations.evaluation(connection, evaluation_id)

    def evaluations(
        self, challenger: int | None = None, *, limit: int | None = None, before: int | None = None
    ) -> list[Evaluation]:
        """All evaluations, or those of one challenger, newest first; or a page, as in `models`."""
        with self._context.database.read() as connection:
            return evaluations.evaluations(connection, challenger, limit, before)

    def passed(self) -> set[tuple[int, str]]:
        """The models, each with the judged sha256, whose evaluation in this registry had the verdict `promote`."""
        with self._context.database.glance() as connection:
            return evaluations.passed(connection)

    def last_verdict(self) -> datetime | None:
        """The time of the newest evaluation by this registry's own weekly runs; None if there is none."""
        with self._context.database.glance() as connection:
            return evaluations.last_verdict(connection)

    def receipt(self, model_id: int, evaluation: int | None = None) -> bytes:
        """A receipt, which can be verified offline: the model, its evidence and the promotion history (receipts.py).

        Raises UnknownModel.
        """
        with self._context.database.read() as connection:
            return receipts.receipt(connection, model_id, evaluation)

    # Decisions

    def log_decisions(self, ideas: Sequence[Sequence[Any]]) -> log.Logged:
        """Add the new ones of these scored ideas, as `line_format.parse` gives them; tells conflicting ones."""
        return log.log(self._context.database, ideas)

    def close_decisions(self, outcomes: Sequence[Outcome], *, all_or_none: bool) -> list[log.OutcomeResult]:
        """Record outcomes of ideas. With `all_or_none`, raises OutcomeRefused, and then nothing has changed."""
        return log.close(self._context.database, outcomes, all_or_none=all_or_none)

    # Names

    def migrate_naming(
        self, *, dry_run: bool = False, primary: int | None = None, actor: str, reason: str
    ) -> rename.NamingPlan:
        """Rename rows and files to the naming convention, and settle on one primary; a dry run only plans it.

        Raises UnknownModel, PromotionRefused, ModelRefused, GenerationMoved, Unavailable.
        """
        return rename.migrate(self._context, dry_run=dry_run, primary=primary, actor=actor, reason=reason)

    # Upkeep

    def doctor(self, *, repair: bool = False) -> doctor.Checkup:
        """Check database and store against each other; with `repair`, fix what needs no choice. Raises Unavailable."""
        return doctor.examined(self._context, repair=repair)

    def gc(self, *, dry_run: bool = False) -> retirement.CleanUp:
        """Remove files that no row holds and whose grace period is over. Raises Unavailable."""
        return retirement.collect(self._context, dry_run=dry_run)

    def copy_to(self, other: "Registry", model_id: int) -> copy_model.Copied:
        """Copy a model and its evidence to another registry, where it is verified again and becomes a challenger.

        Repeating it changes nothing. Raises UnknownModel, ModelRefused, Quarantined, ConfigError, Unavailable.
        """
        return copy_model.copy(self._context, other._context, model_id)
