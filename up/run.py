"""`make up` and `make down`: Airflow and the scoring server on this machine.

Usage: run.py up|down|mondays [COUNT]     (in the folder UP_FOLDER, default build/up)
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import accounts
import click
import httpx
from answers import Answers, dags, let_run, unreadable
from machine import BIN, HOUSE, MARK, PARTS, Machine, environment, is_free
from mondays import run_mondays

from gatekeeper import config
from gatekeeper.errors import GatekeeperError

PATIENCE = 240.0  # seconds to wait for a part; all of them usually take half a minute
STARTS = 3  # of one part before it counts as one that does not start, as in supervisord.conf
STOPPING = 130.0  # seconds: the sum of what supervisord.conf allows the parts
LIVE = ("STARTING", "RUNNING")  # supervisord calls a part starting for its first ten seconds, even if it is healthy
LISTED = "UP_ACCOUNTS"  # in the environment of each process: Airflow's accounts when it started
AIRFLOW_PORT = "AIRFLOW__API__PORT"  # the only one of Airflow's settings that the caller sets; others go to airflow.cfg


def surround(machine: Machine) -> Answers:
    """Set the environment of all parts. Raises SystemExit, ConfigError."""
    port = os.environ.get(AIRFLOW_PORT) or "8080"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise SystemExit(f"{AIRFLOW_PORT}={port!r} is not a port. Use 1 to 65535, or unset it for 8080.")
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ |= of_airflow(machine, port)
    for name in config.OWN_FOLDERS:
        os.environ.setdefault(f"GATEKEEPER_{name.upper()}", str(machine.folder / name))
    if not os.environ.get("GATEKEEPER_DB_FILE"):
        os.environ.setdefault("GATEKEEPER_DB", own_registry(machine))
    settings = config.load()
    if not settings.port:
        raise SystemExit("GATEKEEPER_PORT=0 would take a port that nobody knows. Name one, or unset it.")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # to ask, not to bind
    server = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    administrator = accounts.administrator(machine.folder / "airflow")
    return Answers(f"http://127.0.0.1:{port}", server, administrator.name, administrator.password)


def own_registry(machine: Machine) -> str:
    """The URL of the registry that nobody moved elsewhere."""
    return f"sqlite:///{machine.folder / 'registry.db'}"


def of_airflow(machine: Machine, port: str) -> dict[str, str]:
    """The environment variables of Airflow, which override airflow.cfg, and of supervisord."""
    home = machine.folder / "airflow"
    return {
        MARK: str(machine.folder),
        LISTED: accounts.listed(home),
        "PYTHONPATH": with_local_settings(os.environ.get("PYTHONPATH", "")),
        "UP_BIN": str(BIN),
        "UP_SOCKET": str(machine.socket),
        "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime would send usage data to its maker
        "SPT_NOENV": "1",  # Airflow's processes set their titles; without this the title would overwrite the mark
        "AIRFLOW_HOME": str(home),
        **of_its_database(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HOUSE / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(HOUSE / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(accounts.passwords_file(home)),
        "AIRFLOW__API_AUTH__JWT_SECRET": machine.secret(),
        AIRFLOW_PORT: port,
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # What a killed scheduler or task leaves is taken up within a minute: the defaults of both are five.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
    }


def with_local_settings(path: str) -> str:
    """The module path with our `airflow_local_settings` before whatever is on it."""
    own = str(HOUSE / "up" / "local_settings")
    return os.pathsep.join([own, *(folder for folder in path.split(os.pathsep) if folder not in {"", own})])


def of_its_database(home: Path) -> dict[str, str]:
    """Airflow's database URL: SQLite with a busy timeout of a minute, since a backfill can exceed the default of 5 s.

    Empty if airflow.cfg names another database.
    """
    place, written = f"sqlite:///{home / 'airflow.db'}", home / "airflow.cfg"
    if written.exists() and f"sql_alchemy_conn = {place}\n" not in written.read_text():
        return {}
    return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"{place}?timeout=60"}


def up(machine: Machine) -> None:
    """Start the missing parts, wait until all are healthy, and print their addresses."""
    begun = time.monotonic()
    for part in ("logs", "airflow"):
        (machine.folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)
    answers = surround(machine)
    write_shell_environment(machine)
    states = machine.states()
    if states:
        refuse_other_settings(machine)
    else:
        prepare(machine, answers)
    machine.start()
    wait(machine, answers, begun)
    unpause(machine, answers)
    already = states and all(state in LIVE for state in states.values())
    head = "Already up." if already else f"Healthy after {time.monotonic() - begun:.0f} s."
    for line in summary(machine, answers):
        click.echo(line)
    click.echo(f"\n{head} Stop it with `make down`.")


def write_shell_environment(machine: Machine) -> None:
    """Write a shell script that sets the environment for `airflow` and `gatekeeper`.

    It leaves out the mark: else `down` would end the shell.
    """
    names = sorted(name for name in os.environ if name.startswith(("AIRFLOW", "GATEKEEPER_")) or name == "PYTHONPATH")
    lines = [f"export {name}={shlex.quote(os.environ[name])}" for name in names]
    path = machine.folder / "environment"
    path.touch(0o600)
    path.write_text("\n".join([*lines, f'export PATH={shlex.quote(str(BIN))}:"$PATH"', ""]))


def refuse_other_settings(machine: Machine) -> None:
    """Raise SystemExit if the running parts were started with other settings."""
    running = environment(machine.processes()[0])
    if running.get(LISTED) != os.environ[LISTED]:
        raise SystemExit(
            f"{machine.folder / 'airflow' / 'airflow.cfg'} lists other accounts than at the start, when Airflow reads "
            f"them ({running.get(LISTED)}; now {os.environ[LISTED]}). Run `make down`, then `make up`."
        )
    names = {name for name in (*running, *os.environ) if name.startswith("GATEKEEPER_")} | {AIRFLOW_PORT}
    if other := sorted(name for name in names if running.get(name) != os.environ.get(name)):
        raise SystemExit(f"It is running with another {', '.join(other)} than now. Run `make down`, then `make up`.")


def prepare(machine: Machine, answers: Answers) -> None:
    """Check the ports and upgrade the tables. Raises SystemExit if a port is taken or an upgrade fails."""
    if machine.processes():
        click.echo(f"Ended {machine.end(STOPPING)} processes that an earlier `make up` left behind.")
    settings = config.load()
    ports = (
        ("Airflow", "127.0.0.1", int(answers.airflow.rpartition(":")[2]), AIRFLOW_PORT),
        ("the scoring server", settings.host, settings.port, "GATEKEEPER_PORT"),
    )
    taken = [
        f"Port {port} of {host}, for {who}, is in use. Stop the process that uses it, or choose another port: "
        f"make up {name}={port + 1}"
        for who, host, port, name in ports
        if not is_free(host, port)
    ]
    if taken:
        raise SystemExit("\n".join(taken))
    click.echo("Upgrading the tables of Airflow and of the registry ...")
    commands = [["airflow", "db", "migrate"]]
    commands += [["gatekeeper", "--desk", desk.name, "db", "upgrade"] for desk in config.desks()]
    with machine.log("tables").open("w") as output:
        for command in commands:
            words = [str(BIN / command[0]), *command[1:]]
            if subprocess.run(words, stdout=output, stderr=output, check=False).returncode:  # noqa: S603  # fixed commands
                raise SystemExit(f"`{' '.join(command)}` failed.\n{machine.tail('tables')}")
    accounts.settle(machine.folder / "airflow")


def wait(machine: Machine, answers: Answers, begun: float) -> None:
    """Wait until every part is healthy. Raises SystemExit, with the last log lines of those that are not."""
    healthy: set[str] = set()
    started: dict[str, set[int]] = {part: set() for part in PARTS}
    while missing := [part for part in PARTS if part not in healthy]:
        states, after = machine.states(), time.monotonic() - begun
        for part, process in machine.process_ids().items():
            started[part].add(process)
            started[part].discard(0)
        # Supervisord gives up on what ends within `startsecs`; on a slow machine a part ends later, again and again.
        lost = [
            part for part in PARTS if states.get(part) == "FATAL" or (part in missing and len(started[part]) > STARTS)
        ]
        lost = lost if states else ["supervisord"]
        if lost or after > PATIENCE:
            late = f"is not healthy after {after:.0f} s"
            whys = {part: machine.why_not_started(part) if lost else late for part in lost or missing}
            shown = "\n".join(f"{part} {why}\n{machine.tail(part)}" for part, why in whys.items())
            raise SystemExit(
                f"{shown}\nThe other parts stay up. Try again with `make up`, or stop them with `make down`."
            )
        for part in answers.well():
            if part in missing and states[part] in LIVE:
                healthy.add(part)
                click.echo(f"  {part} is healthy ({after:.0f} s)")
        time.sleep(1)


def unpause(machine: Machine, answers: Answers) -> None:
    """Unpause each DAG once, so that a later pause by a person stays. Raises SystemExit."""
    acts = [path.stem.removeprefix("gatekeeper_") for path in (HOUSE / "dags").glob("gatekeeper_*.py")]
    wanted = {desk.dag_id(act) for desk in config.desks() for act in acts}
    known = machine.folder / "unpaused"
    before = set(known.read_text().split()) if known.exists() else set()
    new = wanted - before
    end = time.monotonic() + PATIENCE
    with answers.logged_in() as airflow:
        while missing := wanted - dags(airflow).keys():
            if (faults := unreadable(airflow)) or time.monotonic() > end:
                shown = "\n".join(faults) or machine.tail("dag-processor")
                raise SystemExit(f"Airflow has not read {', '.join(sorted(missing))}:\n{shown}")
            time.sleep(1)
        for name in sorted(new):
            let_run(airflow, name)
    known.write_text("\n".join(sorted(before | new)))


def summary(machine: Machine, answers: Answers) -> Iterator[str]:
    """The addresses, the login and the paused DAGs, in lines."""
    yield ""
    yield f"Airflow         {answers.airflow}    user {answers.user}, password {answers.password}"
    for account in accounts.accounts(machine.folder / "airflow"):
        if account.name != answers.user:
            yield f"                {' ' * len(answers.airflow)}    user {account.name}, password {account.password}"
    yield f"console         {answers.airflow}/gatekeeper/"
    yield f"scoring server  {answers.server}"
    yield from of_the_caller(machine)
    yield f"logs            {machine.folder / 'logs'}"
    place = shlex.quote(str(machine.folder / "environment"))
    yield f"commands        . {place}    (then `airflow` and `gatekeeper` use these)"
    with answers.logged_in() as airflow:
        yield from (f"paused          {name}" for name, paused in sorted(dags(airflow).items()) if paused)
    if str(config.load().data).startswith("demo:"):
        yield "first weeks     make mondays    (the README's eight Mondays, one after another; the data end in 2018)"


def of_the_caller(machine: Machine) -> Iterator[str]:
    """Registry and market data that the caller's environment names, in lines: an old export is soon forgotten."""
    settings = config.load()
    if os.environ.get("GATEKEEPER_DB") != own_registry(machine):
        yield f"registry        {settings.db}    (GATEKEEPER_DB, from your environment)"
    if str(settings.data) != "demo:":
        yield f"market data     {settings.data}    (GATEKEEPER_DATA, from your environment)"


def mondays(machine: Machine, count: str = "8") -> None:
    """Run the first `count` of the demo's Mondays in the running Airflow. Raises SystemExit."""
    if not count.isdecimal() or not 1 <= int(count) <= 8:
        raise SystemExit(f"Can't run {count!r} Mondays. The demo has 8: give a number from 1 to 8.")
    if not machine.states():
        raise SystemExit("Nothing is up. Run `make up` first.")
    answers = surround(machine)
    refuse_other_settings(machine)
    run_mondays(answers, int(count))


def main(words: list[str]) -> None:
    """`up`, `down` or `mondays`. Raises SystemExit."""
    machine = Machine(Path(os.environ.pop("UP_FOLDER", "") or HOUSE / "build" / "up").resolve())
    if words == ["up"]:
        up(machine)
    elif words == ["down"]:
        ended = machine.end(STOPPING)
        click.echo(f"Down: {ended} processes ended." if ended else "Nothing was up.")
    elif words[:1] == ["mondays"] and len(words) <= 2:
        mondays(machine, *words[1:])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except GatekeeperError as fault:
        raise SystemExit(f"gatekeeper: {fault}") from None
    except KeyboardInterrupt:
        click.echo(
            "\nInterrupted. What has started stays up: go on with `make up`, or stop it with `make down`.", err=True
        )
        raise SystemExit(130) from None
    except httpx.HTTPError as fault:
        raise SystemExit(f"Airflow was healthy, but does not answer now ({fault}). Run `make up` again.") from None
