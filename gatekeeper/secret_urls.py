"""URLs with secrets: parsed where they enter, so that what is shown of them holds no password and no query value.

A password is never searched for by its look. Text that others wrote (drivers, stores, services) is cleared of the very
values that were parsed, before it is shown.
"""

import json
from collections.abc import Iterable
from typing import Any, Self
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"
AMBIGUOUS = (
    "It holds more than one @, or one of / # ? before its last @, so no parser reads it surely. In a user name or "
    "password, write @ as %40, / as %2F, # as %23, ? as %3F."
)
UNREADABLE = "Its host and port can't be read. Write SCHEME://USER:PASSWORD@HOST:PORT/PATH, without what isn't needed."
LONG = 8  # letters from which on a secret is sought within words too; a shorter one would be found in most texts
_BARE_PATHS = {"sqlite", "file", "local"}  # schemes whose URLs have no host: all that follows :/// is a path
_TOKENS = {"http", "https"}  # a user without a password is a token there
_SEPARATORS = "/@:?&=#,;"

_OUR_WORDS = "gatekeeper"  # a password that is one of our words can't be taken out of our own messages

_known: set[str] = set()  # passwords, tokens and whole queries that this process has parsed
_sought: set[str] = set()  # those of them that are taken out of every message and log line


_Parts = tuple[str, set[str], set[str]]
"""What is shown; the secrets that no text about the URL may show; those that no text at all may show."""


class SecretUrl:
    """A URL that may hold secrets. As text it shows scheme, user, host, path and the names of its options.

    `reveal()` gives it whole, for whoever connects. Made by `database`, `store`, `source` or `receivers`, which raise
    ValueError for a URL that can't be read surely; the message never holds any of it.
    """

    __slots__ = ("_raw", "_secrets", "_shown", "_widely")

    def __init__(self, raw: str, shown: str, secrets: Iterable[str], widely: Iterable[str]) -> None:
        """secrets: all that no text about this URL may show. widely: those that no text at all may show."""
        self._raw, self._shown = raw, shown
        self._widely = frozenset(form for secret in widely if secret for form in _forms(secret))
        self._secrets = self._widely | {form for secret in secrets if secret for form in _forms(secret)}
        _known.update(self._widely)
        _sought.update(form for form in self._widely if len(form) >= LONG and form not in _OUR_WORDS + shown)

    @classmethod
    def database(cls, text: str) -> Self:
        """The URL of a database."""
        if "://" not in text:
            raise ValueError("It is not a database URL. Write one such as sqlite:///registry.db.")
        return cls(text, *_of_link(text))

    @classmethod
    def store(cls, text: str) -> Self:
        """A folder, or the URL of a store or of files in it; chained ones (`A::B`) too."""
        links = [_of_link(link) for link in (text.split("::") if "://" in text else [text])]
        secrets = {secret for _, own, _ in links for secret in own}
        widely = {secret for _, _, own in links for secret in own}
        return cls(text, "::".join(shown for shown, _, _ in links), secrets, widely)

    @classmethod
    def source(cls, text: str) -> Self:
        """Market data: `SCHEME:REST`, where the rest is a folder, a file, a URL, or empty."""
        scheme, colon, rest = text.partition(":")
        if rest.startswith("//"):  # a URL, where the scheme of a source belongs
            return cls.store(text)
        url = cls.store(rest)
        return cls(text, f"{scheme}{colon}{url._shown}", url._secrets, url._widely)

    @classmethod
    def receivers(cls, text: str) -> Self:
        """Alarm receivers, separated by spaces; each is shown as its scheme and ordinal."""
        each = cls._each(text)
        secrets = {part for url in each for part in url._secrets}
        return cls(text, ", ".join(map(str, each)), secrets, {part for url in each for part in url._widely})

    def each(self) -> "list[SecretUrl]":
        """Each of the receivers."""
        return self._each(self._raw)

    @staticmethod
    def _each(text: str) -> "list[SecretUrl]":
        return [SecretUrl(word, *_of_receiver(word, number)) for number, word in enumerate(text.split(), start=1)]

    def reveal(self) -> str:
        """The URL as it was written, with its secrets. Never for a message, a log or a document."""
        return self._raw

    def hide(self, text: object) -> str:
        """`text`, which others wrote about this URL, without its secrets."""
        return _without(str(text), self._secrets, whole_words=True)

    def harmless(self, fault: Exception) -> Exception | None:
        """`fault` as the cause of another one, for its traceback; None if its text holds a secret of this URL."""
        return fault if self.hide(fault) == str(fault) else None

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r})"

    def __format__(self, spec: str) -> str:
        return format(self._shown, spec)

    def __bool__(self) -> bool:
        return bool(self._raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretUrl) and other._raw == self._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._raw, self._shown, self._secrets, self._widely)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        shown = core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        return core_schema.is_instance_schema(cls, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, str]:
        return {"type": "string"}


def hide(text: str) -> str:
    """`text` of ours without the secrets that this process has parsed, of LONG letters and more."""
    return _without(text, _sought, whole_words=False)


def hide_all(text: object) -> str:
    """`text` of others, of whatever they were asked, without any secret that this process has parsed."""
    return _without(str(text), _known, whole_words=True)


def long_secrets() -> list[str]:
    """The secrets that this process has parsed, of LONG letters and more."""
    return sorted(_sought)


def remember(secret: str) -> None:
    """Keep a secret that is no URL, such as a token, out of what is shown."""
    forms = _forms(secret) if secret else set()
    _known.update(forms)
    _sought.update(form for form in forms if len(form) >= LONG and form not in _OUR_WORDS)


def shown(text: str) -> str:
    """A path or URL of a file, as it may be shown; only its scheme, if it can't be read surely."""
    try:
        return str(SecretUrl.store(text))
    except ValueError:
        return f"{text.partition(':')[0]}:{HIDDEN}"


def _of_link(text: str) -> _Parts:
    """A folder or a URL."""
    scheme, apart, rest = text.partition("://")
    if not apart:
        if ":" in text.partition("@")[0] and "@" in text:
            raise ValueError("It is neither a path nor a URL. A URL is SCHEME://HOST/PATH.")
        path, mark, options = text.partition("?")
        if "=" not in options:  # a ? of a glob
            return text, set(), set()
        names, secrets = _options(options)
        return f"{path}{mark}{names}", secrets, {options}
    if not _is_scheme(scheme):
        raise ValueError("It does not begin with a scheme, as https:// is.")
    if scheme in _BARE_PATHS and rest.startswith("/"):
        path, mark, options = rest.partition("?")
        names, secrets = _options(options)
        return f"{scheme}://{path}{mark}{names}", secrets, {options}
    return _of_url(scheme, rest)


def _of_url(scheme: str, rest: str) -> _Parts:
    before, at, after = rest.rpartition("@")
    if any(letter in before for letter in "@/#?"):
        raise ValueError(AMBIGUOUS)
    user, colon, password = before.partition(":")
    place, fragment_mark, fragment = after.partition("#")
    place, mark, options = place.partition("?")
    host, slash, path = place.partition("/")
    if not all(_is_host(each) for each in host.split(",")):
        raise ValueError(UNREADABLE)
    names, secrets = _options(options)
    steps = [_step(each) for each in path.split("/")]
    secrets |= {value for _, own in steps for value in own}
    widely = {password, fragment, options, *(each.partition(";")[2] for each in path.split("/"))}
    if at and not colon and scheme in _TOKENS:
        widely, user = widely | {user}, HIDDEN
    login = f"{user}{f':{HIDDEN}' if colon else ''}{at}"
    tail = f"{slash}{'/'.join(text for text, _ in steps)}{mark}{names}{fragment_mark}{HIDDEN if fragment else ''}"
    return f"{scheme}://{login}{host}{tail}", secrets, widely


def _options(query: str) -> tuple[str, set[str]]:
    """The names of a query's options, and their values."""
    names, values = [], set()
    for option in query.split("&"):
        name, equals, value = option.partition("=")
        if not equals:
            name, value = "", name
        names.append(f"{name}{equals}{HIDDEN if value else ''}")
        values.add(value)
    return "&".join(names), values - {""}


def _step(step: str) -> tuple[str, set[str]]:
    """One step of a path; what follows a `;` in it are options too."""
    name, mark, options = step.partition(";")
    names, values = _options(options)
    return f"{name}{mark}{names}", values


def _is_scheme(text: str) -> bool:
    return text[:1].isalpha() and text.isascii() and all(letter.isalnum() or letter in "+.-_" for letter in text)


def _is_host(text: str) -> bool:
    """Whether `text` is HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT; the host may be empty."""
    address, bracket, rest = text.partition("]")
    if bracket:
        inner = address.removeprefix("[")
        if address == inner or not all(letter in "0123456789abcdefABCDEF:.%" for letter in inner):
            return False
        host, port = inner, rest.removeprefix(":")
        if rest and not rest.startswith(":"):
            return False
    else:
        host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdecimal() and int(port[:6]) <= 65535):
        return False
    return all(letter.isprintable() and letter not in " []" for letter in host)


def _of_receiver(word: str, ordinal: int) -> _Parts:
    scheme, apart, rest = word.partition("://")
    if not apart or not _is_scheme(scheme):
        return f"#{ordinal}", _pieces(word), {word}
    password = rest.rpartition("@")[0].partition(":")[2]
    is_place = ":" in rest and _is_host(rest)  # HOST:PORT alone holds no token, and may be in many a text of ours
    return f"{scheme} #{ordinal}", _pieces(rest), {password, *([] if is_place else [rest])}


def _pieces(text: str) -> set[str]:
    """`text` and each part of it: which part a service takes for its token, only that service knows."""
    spaced = "".join(" " if letter in _SEPARATORS else letter for letter in text)
    return {text, *(part for part in spaced.split() if len(part) > 3)}


def _forms(secret: str) -> set[str]:
    """The secret as it was written, decoded, encoded anew, and as quoted in Python's or JSON's text."""
    plain = {secret, unquote(secret)}
    encoded = {quoted(each, safe="") for each in plain for quoted in (quote, quote_plus)}
    return plain | encoded | {repr(each)[1:-1] for each in plain} | {json.dumps(each)[1:-1] for each in plain}


def _without(text: str, secrets: Iterable[str], *, whole_words: bool) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if secret not in text:
            continue
        text = text.replace(secret, HIDDEN) if len(secret) >= LONG or not whole_words else _without_word(text, secret)
    return text


def _without_word(text: str, word: str) -> str:
    """`text` without `word` where it stands by itself: a short password may be part of any word."""
    parts = text.split(word)
    kept = parts[0]
    for part in parts[1:]:
        joined = (kept[-1:].isalnum() and word[0].isalnum()) or (part[:1].isalnum() and word[-1].isalnum())
        kept += (word if joined else HIDDEN) + part
    return kept
