"""Approvals: questions put to a person and their answers, which the promotion reads back under the lock.

An answer is about one run key, model's bytes, evaluation and generation. Of several questions about the same, only the
newest counts.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection, select

from gatekeeper.errors import ConfigError, PromotionRefused, Unapproved
from gatekeeper.registry.context import RegistryContext, plain
from gatekeeper.registry.db import tables, writes
from gatekeeper.registry.db.database import now
from gatekeeper.registry.db.faults import rewritten
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.models.verification import refuse_unregistered
from gatekeeper.registry.promotion.evaluations import evaluation
from gatekeeper.registry.records import Approval, Model

APPROVED, REJECTED, EXPIRED = "approved", "rejected", "expired"
_AGAIN = "Clear the task `approve` to ask again."

_a = tables.approvals.c


class RequestedPromotion(Protocol):
    """The part of a promotion's order that an approval is about."""

    @property
    def actor(self) -> str:
        """Who promotes."""

    @property
    def run_key(self) -> str | None:
        """Key of the weekly run or act."""

    @property
    def evaluation(self) -> int | None:
        """Evaluation that it rests on; None by hand."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The user who started the run that asks. name: None if there is none. known: False if nobody can know."""

    name: str | None
    known: bool

    def refuse(self, by: str, approvers: Sequence[str]) -> None:
        """Raise PromotionRefused unless `by` may approve or reject. approvers: who may; empty: anyone but the asker.

        Names that differ only by case, by spaces around them or by forms of the same letters are one person's.
        """
        self.refuse_nobody(approvers)
        if self.name is not None and _person(by) == _person(self.name):
            raise PromotionRefused(
                f"{by} started the run that asks, and can't answer for it; nothing is promoted. Somebody else has to "
                f"answer. {_AGAIN}"
            )
        if approvers and by not in approvers:
            raise PromotionRefused(
                f"{by} may not answer, since GATEKEEPER_APPROVERS names {', '.join(approvers)} alone. Nothing is "
                f"promoted. {_AGAIN}"
            )

    def refuse_nobody(self, approvers: Sequence[str]) -> None:
        """Raise PromotionRefused if nobody may approve, so that nobody need be asked."""
        if not self.known and not approvers:
            raise PromotionRefused(
                "Nothing is promoted: who asked for this run can't be known (a backfill, or a run without a user's "
                "name), so only somebody in GATEKEEPER_APPROVERS may approve it, and that is empty. Set it, then clear "
                "the task `approve`."
            )


@dataclass(frozen=True, slots=True)
class Approvals:
    """Questions and answers of one registry: `registry.approvals`."""

    context: RegistryContext

    def ask(
        self, *, run_key: str, model_id: int, evaluation_id: int | None, question: str, asked_by: str | None
    ) -> Approval:
        """Record a question, before it is put to anyone. `question`: where it is asked (DAG and run).

        Raises UnknownModel, and PromotionRefused if that run has asked about something else before.
        """
        plain(run_key, "run key")
        plain(question, "question")
        with self.context.database.write() as work:
            connection = work.connection
            model = catalogue.model(connection, model_id)
            generation = work.generation
            if evaluation_id is not None:
                generation = evaluation(connection, evaluation_id).generation
            about = {
                "run_key": run_key,
                "model_id": model_id,
                "sha256": refuse_unregistered(model),
                "evaluation_id": evaluation_id,
                "generation": generation,
            }
            before = _newest(connection, _a.question == question)
            if before is not None and any(getattr(before, name) != value for name, value in about.items()):
                raise PromotionRefused(
                    f"This run asked about {_named(before)} before, and Airflow would show that question again, "
                    f"instead of one about model {model_id}. Trigger a new run; of the same as-of it is the same "
                    "weekly run."
                )
            row = {**about, "question": question, "asked_by": asked_by, "asked_at": now(connection)}
            writes.add(connection, tables.approvals, row)
            work.settle()
            asked = _newest(connection, _a.question == question)
            if asked is None or any(getattr(asked, name) != value for name, value in row.items()):
                raise rewritten("the question", asked, row)
        return asked

    def answer(self, question: str, *, answer: str, by: str | None) -> Approval:
        """Record the answer to the newest question that this run asked. The same answer again changes nothing.

        `answer`: approved, rejected, or expired (by nobody). Raises PromotionRefused if there is no such question, or
        if it has another answer; ConfigError for any other answer, and for a blank name.
        """
        if answer not in {APPROVED, REJECTED, EXPIRED} or (answer == APPROVED and by is None):
            raise ConfigError(
                f"The answer {answer!r} by {by!r} is none. Give approved or rejected by somebody, or expired."
            )
        if by is not None:
            plain(by, "name of who answers")
        with self.context.database.write() as work:
            connection = work.connection
            asked = _newest(connection, _a.question == question)
            if asked is None:
                raise PromotionRefused(f"The registry knows of no question of {question}. {_AGAIN}")
            if asked.answer is not None:
                if (asked.answer, asked.answered_by) == (answer, by):
                    return asked
                raise PromotionRefused(
                    f"The question of {question} was answered already: {asked.answer} by {asked.answered_by}. {_AGAIN}"
                )
            given = {"answer": answer, "answered_by": by, "at": now(connection)}
            writes.change(connection, tables.approvals, (_a.id == asked.id) & _a.answer.is_(None), given)
            work.settle()
            answered = _newest(connection, _a.id == asked.id)
            if answered is None or answered != replace(asked, answer=answer, answered_by=by, at=answered.at):
                raise rewritten("the answer", answered, given)
        return answered

    def of(self, *, run_key: str, evaluation_id: int | None) -> Approval | None:
        """The newest question about this evaluation (or act by hand) of this run; None if nobody was asked."""
        with self.context.database.glance() as connection:
            wanted = (_a.run_key == run_key) & _a.evaluation_id.is_not_distinct_from(evaluation_id)
            return _newest(connection, wanted)

    def newest(self, *, evaluation_id: int | None = None, limit: int = 50) -> list[Approval]:
        """The newest questions with their answers, newest first; with `evaluation_id`, those about it."""
        wanted = select(tables.approvals).order_by(_a.id.desc()).limit(limit)
        if evaluation_id is not None:
            wanted = wanted.where(_a.evaluation_id == evaluation_id)
        with self.context.database.glance() as connection:
            return [Approval(**row._mapping) for row in connection.execute(wanted)]


def actor(connection: Connection, order: RequestedPromotion, model: Model, generation: int) -> str:
    """The actor of a promotion together with its approver, as the history names them. Call it under the lock.

    Raises Unapproved unless the newest question about exactly this was approved, by somebody other than who asked.
    """
    wanted = (
        (_a.run_key == (order.run_key or ""))
        & (_a.sha256 == (model.sha256 or ""))
        & _a.evaluation_id.is_not_distinct_from(order.evaluation)
        & (_a.generation == generation)
    )
    found = _newest(connection, wanted)
    if found is None:
        raise Unapproved(_unasked(connection, order, model))
    if found.answer is None:
        raise Unapproved(
            f"Nobody has answered the question of {found.question} about model {model.id}, or the answer came after "
            f"the task `approve` had ended. {_AGAIN}"
        )
    by = found.answered_by
    if found.answer != APPROVED or by is None or _person(by) == _person(found.asked_by or ""):
        raise Unapproved(f"{in_words(found)}. {_AGAIN}")
    return f"{order.actor.strip()}, approved by {by}"


def in_words(found: Approval) -> str:
    """The answer in a clause, such as `Rejected by ann`."""
    if found.answer is None:
        return "Nobody has answered yet"
    if found.answer == EXPIRED or found.answered_by is None:
        return "Rejected, since nobody answered in time"
    return f"{found.answer.capitalize()} by {found.answered_by}"


def _unasked(connection: Connection, order: RequestedPromotion, model: Model) -> str:
    about = f"model {model.id}" + (f" by evaluation {order.evaluation}" if order.evaluation is not None else "")
    other = _newest(connection, _a.run_key == (order.run_key or ""))
    if other is not None:
        return f"The question of this run was about {_named(other)}, not about {about}. Clear `backtest` to ask again."
    return (
        f"Nobody was asked to approve {about} (GATEKEEPER_APPROVAL is on). Clear the task `approve` of the run in "
        f"Airflow to ask, or promote by hand with `gatekeeper promote -i {model.id} --reason ...`."
    )


def _person(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _named(found: Approval) -> str:
    of = "" if found.evaluation_id is None else f" by evaluation {found.evaluation_id}"
    return f"model {found.model_id}{of} at generation {found.generation}"


def _newest(connection: Connection, wanted: object) -> Approval | None:
    row = connection.execute(select(tables.approvals).where(wanted).order_by(_a.id.desc()).limit(1)).first()  # type: ignore[arg-type]  # a column expression
    return None if row is None else Approval(**row._mapping)
