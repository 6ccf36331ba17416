"""Airflow's accounts on this machine: who they are, by airflow.cfg, and their passwords, made before the start."""

import configparser
import json
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from gatekeeper import config

SECTION, USERS, PASSWORDS = "core", "simple_auth_manager_users", "simple_auth_manager_passwords_file"
TWO = "admin:admin,viewer:viewer"
DEFAULTS = {"", "admin:admin", TWO}  # what Airflow itself writes, and what we do if no desk asks
ROLES = ("viewer", "user", "op", "admin")
_LINE = re.compile(rf"^{USERS}\s*=.*$", re.MULTILINE)


def ours() -> str:
    """The accounts where airflow.cfg names none: one that may do all, and one that may only look.

    If a desk's promotions need approval: another one that may answer, since who asks can't approve.
    """
    asks = any(settings.approval for _, settings in config.standing_desks().ready)
    return f"{TWO},approver:op" if asks else TWO


@dataclass(frozen=True, slots=True)
class Account:
    """A name of Airflow's, its role, and its password."""

    name: str
    role: str
    password: str = field(repr=False)


def settle(home: Path) -> None:
    """Write our accounts into airflow.cfg if it has Airflow's default or none; else leave those that are there."""
    path = home / "airflow.cfg"
    text = path.read_text()
    if _named(home, USERS) not in DEFAULTS:
        return
    line = f"{USERS} = {ours()}"
    if _LINE.search(text):
        path.write_text(_LINE.sub(line, text, count=1))
    elif f"[{SECTION}]\n" in text:
        path.write_text(text.replace(f"[{SECTION}]\n", f"[{SECTION}]\n{line}\n", 1))
    else:
        path.write_text(f"{text}\n[{SECTION}]\n{line}\n")


def listed(home: Path) -> str:
    """The accounts as airflow.cfg has them, or will have them after `settle`."""
    named = _named(home, USERS)
    return ours() if named in DEFAULTS else named


def passwords_file(home: Path) -> Path:
    """The file of the passwords: the one that airflow.cfg names, else one of ours."""
    return Path(_named(home, PASSWORDS) or home / "passwords.json")


def accounts(home: Path) -> list[Account]:
    """All accounts; a password that the file lacks is made. Raises SystemExit for a list that can't be used."""
    roles = dict(_role(home, word) for word in listed(home).replace("\n", ",").split(",") if word.strip())
    path = passwords_file(home)
    known: dict[str, str] = json.loads(path.read_text() or "{}") if path.exists() else {}
    if new := {name: secrets.token_urlsafe(12) for name in roles if name not in known}:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)  # readable only by this account
        path.write_text(json.dumps(known | new))
    return [Account(name, role, (known | new)[name]) for name, role in roles.items()]


def administrator(home: Path) -> Account:
    """The account that `make up` itself logs in with. Raises SystemExit if no role suffices."""
    for role in ("admin", "op"):
        for account in accounts(home):
            if account.role == role:
                return account
    raise SystemExit(
        f"{home / 'airflow.cfg'}: {USERS} = {listed(home)} has no account of the role admin or op, which `make up` "
        "needs to unpause the DAGs. Add one, such as admin:admin."
    )


def _role(home: Path, word: str) -> tuple[str, str]:
    name, role = (*word.strip().split(":"), "")[:2]
    if not name or role not in ROLES:
        raise SystemExit(
            f"{home / 'airflow.cfg'}: {word.strip()!r} in {USERS} is not NAME:ROLE with one of the roles "
            f"{', '.join(ROLES)}. Correct it."
        )
    return name, role


def _named(home: Path, option: str) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(home / "airflow.cfg")
    except configparser.Error as fault:
        raise SystemExit(f"{home / 'airflow.cfg'} can't be read: {fault}. Correct it.") from None
    return parser.get(SECTION, option, fallback="").strip()
