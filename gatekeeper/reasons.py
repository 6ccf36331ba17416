"""Reasons: each slug that a refusal carries, with its meaning and the way out; the troubleshooting page shows the same.

A slug stands at the end of a command's error line, in a task's log and alarms, and as `reason` in problem JSON, in
servers' answers and as a metric's label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from gatekeeper.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Reason:
    """Slugs that mean the same to an operator: the meaning, and the way out, both as Markdown."""

    slugs: tuple[str, ...]
    meaning: str
    way_out: str


_AGAIN = "clear the task in Airflow, or run the command again"

REASONS = (
    # Model files: refusals of `register`, fallbacks of servers, findings of loads
    Reason(
        ("missing", "dangling"),
        "there is no file at the model's path, or it is a link to nowhere",
        "`gatekeeper doctor --repair`; if the blob is lost, too, register the file again",
    ),
    Reason(
        ("sha256",),
        "the file isn't the one that was registered",
        "the blob answers meanwhile. `gatekeeper doctor --repair` restores the file; to use the new one, `register` it",
    ),
    Reason(("id",), "the row's id is negative", "`gatekeeper register -p FILE`: its row gets an id of its own"),
    Reason(
        ("outside", "special", "directory", "type"),
        "it lies outside the models folder, or isn't a regular file",
        "put the file itself there",
    ),
    Reason(
        ("empty", "lfs", "html", "not_onnx"),
        "an empty file, a Git LFS pointer, a web page, or not ONNX",
        "fetch the real file (`git lfs pull`), register it",
    ),
    Reason(("size",), "over the size limit", "a smaller model, or `GATEKEEPER_MODEL_SIZE_CAP_MB`"),
    Reason(
        ("ir", "opset", "domain", "operator"),
        "a newer format, or an operator that scoring doesn't need",
        "export with opset 21, IR 10, without loops or custom operators",
    ),
    Reason(
        ("external", "tensor"),
        "tensors outside the file, or declared larger than they are",
        "export with the weights inside",
    ),
    Reason(
        ("input", "output", "features"),
        "the inputs aren't the seven features, or no output is a score",
        "export again; `gatekeeper register` says what it recognises",
    ),
    Reason(
        ("batch", "canary", "scores"),
        "it gives other scores than when it was registered, or values that aren't probabilities",
        "register again on the machine that serves; don't promote it",
    ),
    Reason(
        ("session", "run", "time", "memory", "crash"),
        "the runtime can't load or run the model within its limits; of a request, `time` is the idea's time, too far "
        "off or not readable",
        "another recipe, or a smaller model; of a request, send the time as `detail` says",
    ),
    Reason(
        ("unregistered",),
        "another tool wrote the row, and nobody has checked it",
        "`gatekeeper db upgrade` takes it in",
    ),
    # Servers: problem JSON
    Reason(("no_model",), "no model may answer (503 with `GATEKEEPER_ON_NO_MODEL=error`)", "the four steps above"),
    Reason(
        ("token", "host", "forbidden"),
        "a missing or wrong token (401), a request for another host name (421), or no right to see the page (403)",
        "`Authorization: Bearer ...`; set `GATEKEEPER_TOKEN`; ask the operator for the right",
    ),
    Reason(
        ("idea_conflict",),
        "the id was decided for another symbol, side or features (409)",
        "a new id for each idea; a retry repeats its request unchanged",
    ),
    Reason(
        (
            "schema",
            "json",
            "idea_id",
            "closed_at",
            "known_at",
            "too_large",
            "too_many",
            "slow",
            "content_type",
            "unknown_path",
            "method",
            "request",
            "head",
            "version",
            "malformed",
        ),
        "the request is at fault (4xx); `detail` names idea and field",
        "as it says",
    ),
    Reason(
        ("unexpected",),
        "a fault in Gatekeeper (500, exit code 70); nothing was decided or promoted",
        "the log says why; please report it",
    ),
    Reason(
        ("outcome", "outcome_refused", "outcome_too_early"),
        "another outcome was reported for this idea before (409), or it can't be recorded yet",
        "the first stands; correct it by hand if it was wrong",
    ),
    # Commands and tasks
    Reason(
        ("unavailable",),
        "database or store can't be reached just now",
        "nothing at first: it is tried again. If it lasts, check network, rights and disk",
    ),
    Reason(
        ("registry_replaced",),
        "another file was put in the place of `registry.db`, or copied into it",
        "stop the servers and [restore](operate.md#move-back-up-restore)",
    ),
    Reason(
        ("storage_failed",),
        "the registry's file is damaged, its disk is full, or it can't be written",
        "free some space, or [restore a backup](operate.md#move-back-up-restore)",
    ),
    Reason(
        ("spool_fault",),
        "the spool's folder can't be read or written, so its lines wait",
        "free some space, and check rights and open files (`ulimit -n`); they are delivered then",
    ),
    Reason(
        ("config_error",),
        "a setting, a parameter or a desk is unknown or out of range",
        "the message names it, and the nearest right name; `gatekeeper config` shows what is in force",
    ),
    Reason(
        ("data_error",),
        "the source is missing, unreadable or contradictory (one symbol and time, two prices), or a check refused it "
        "(a split, a twin, a feature that knows the future), or a task handed on what it can't have written",
        "`gatekeeper data` shows all that is wrong with the source. Fix the rows named, accept a finding by the key at "
        f"its end (`GATEKEEPER_ACCEPT`), or clear the task named; then {_AGAIN}",
    ),
    Reason(
        ("stale_data",),
        "the newest data are too old for this as-of: the feed has stopped, and training on it would look fine",
        "fix the feed; `GATEKEEPER_FRESHNESS_DAYS` is the limit",
    ),
    Reason(
        ("as_of_error",),
        "the as-of lies in the future, or beyond the data",
        "take the Monday that the message names",
    ),
    Reason(
        ("training_refused",),
        "too few ideas to learn from, or one class only",
        "wait, or widen the source",
    ),
    Reason(("export_refused",), "the ONNX file does not score as the estimator does", "another recipe"),
    Reason(("unknown_model",), "no model or evaluation has this id", "`gatekeeper list` shows the ids"),
    Reason(
        ("schema_out_of_date",),
        "the registry's tables are missing, or of another version",
        "`gatekeeper db upgrade`",
    ),
    Reason(
        ("claims_unsettled",),
        "another tool left two `gatekeeper_primary...` rows, or a name is taken",
        "`gatekeeper migrate-naming --dry-run`, then without; `--primary ID` chooses",
    ),
    Reason(
        ("promotion_refused",),
        "the promotion, rollback or release is refused, and nothing has changed",
        "the message says by what: the verdict, who may approve, the holds in force, or which way back there is",
    ),
    Reason(
        ("key_used",),
        "the run key did another act before, and does one act only",
        "use a new key; in Airflow, trigger a new run instead of clearing this one",
    ),
    Reason(
        ("clock_behind",),
        "the database's clock is behind what is recorded",
        "set the clock right; `gatekeeper doctor` names the rows, `--repair` marks them",
    ),
    Reason(("held",), "someone stopped promotions", "`gatekeeper release`"),
    Reason(
        ("quarantined",),
        "a rollback left these bytes",
        '`gatekeeper release --quarantine ID --reason "..."`, if you mean it',
    ),
    Reason(
        ("unapproved",),
        "nobody has approved exactly this promotion: not asked, not answered, rejected, or an approval of another run, "
        "model or evaluation",
        "clear the task `approve` to ask again; `gatekeeper approvals` shows questions and answers",
    ),
    Reason(
        ("evaluation_outdated",),
        "the bytes are not the judged ones any more, or a later week was promoted",
        "clear `register` to judge again",
    ),
    Reason(
        ("generation_moved",),
        "another promotion came between backtest and promotion",
        "clear the task `promote`",
    ),
)
BY_SLUG: Mapping[str, Reason] = {slug: reason for reason in REASONS for slug in reason.slugs}


def find(slug: str) -> Reason:
    """The reason of this slug. Raises ConfigError, which names the nearest one."""
    if (found := BY_SLUG.get(slug.strip("[] "))) is not None:
        return found
    near = get_close_matches(slug, BY_SLUG, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigError(f"There is no reason {slug!r}.{hint} `gatekeeper explain-reason` lists them all.")


def markdown() -> str:
    """All reasons as the troubleshooting page shows them: the rows of a table."""
    rows = (f"| {', '.join(f'`{slug}`' for slug in one.slugs)} | {one.meaning} | {one.way_out} |" for one in REASONS)
    return "\n".join(["| reason | what it means | what to do |", "|---|---|---|", *rows])
