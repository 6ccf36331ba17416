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

_known: set[str] = set()  # every secret that this process has parsed


class SecretUrl:
    """A URL that may hold secrets. As text it shows scheme, user, host, path and the names of its options.

    `reveal()` gives it whole, for whoever connects. Made by `database`, `store`, `source` or `receivers`, which raise
    ValueError for a URL that can't be read surely; the message never holds any of it.
    """

    __slots__ = ("_raw", "_secrets", "_shown")

    def __init__(self, raw: str, shown: str, secrets: Iterable[str]) -> None:
        self._raw, self._shown = raw, shown
        self._secrets = frozenset(form for secret in secrets if secret for form in _forms(secret))
        _known.update(self._secrets)

    @classmethod
    def database(cls, text: str) -> Self:
        """The URL of a database."""
        if "://" not in text:
            raise ValueError("It is not a database URL. Write one such as sqlite:///registry.db.")
        return cls(text, *_of_link(text))

    @classmethod
    def store(cls, text: str) -> Self:
        """A folder, or the URL of a store or of files in it; chained ones (`A::B`) too."""
        shown, secrets = [], set[str]()
        links = text.split("::") if "://" in text else [text]
        for link in links:
            part, own = _of_link(link)
            shown.append(part)
            secrets |= own
        return cls(text, "::".join(shown), secrets | ({text} if secrets else set()))

    @classmethod
    def source(cls, text: str) -> Self:
        """Market data: `SCHEME:REST`, where the rest is a folder, a file, a URL, or empty."""
        scheme, colon, rest = text.partition(":")
        if rest.startswith("//"):  # a URL, where the scheme of a source belongs
            url = cls.store(text)
            return cls(text, url._shown, url._secrets)
        url = cls.store(rest)
        return cls(text, f"{scheme}{colon}{url._shown}", url._secrets)

    @classmethod
    def receivers(cls, text: str) -> Self:
        """Alarm receivers, separated by spaces; each is shown as its scheme and ordinal."""
        words = text.split()
        each = [_of_receiver(word, ordinal) for ordinal, word in enumerate(words, start=1)]
        return cls(text, ", ".join(shown for shown, _ in each), {part for _, own in each for part in own})

    def each(self) -> "list[SecretUrl]":
        """Each of the receivers."""
        words = self._raw.split()
        return [
            SecretUrl(word, *_of_receiver(word, ordinal)) if len(word) else self
            for ordinal, word in enumerate(words, start=1)
        ]

    def reveal(self) -> str:
        """The URL as it was written, with its secrets. Never for a message, a log or a document."""
        return self._raw

    def hide(self, text: object) -> str:
        """`text`, which others wrote about this URL, without its secrets."""
        return _without(str(text), self._secrets, whole_words=True)

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
        return type(self), (self._raw, self._shown, self._secrets)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        shown = core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        return core_schema.is_instance_schema(cls, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, str]:
        return {"type": "string"}


def hide(text: str) -> str:
    """`text` without the secrets that this process has parsed, of LONG letters and more."""
    return _without(text, {secret for secret in _known if len(secret) >= LONG}, whole_words=False)


def hide_all(text: object) -> str:
    """`text` of others, of whatever they were asked, without any secret that this process has parsed."""
    return _without(str(text), _known, whole_words=True)


def harmless(fault: Exception) -> Exception | None:
    """`fault` as the cause of another one, for its traceback; None if its text holds a secret."""
    return fault if hide_all(fault) == str(fault) else None


def long_secrets() -> list[str]:
    """The secrets that this process has parsed, of LONG letters and more."""
    return sorted(secret for secret in _known if len(secret) >= LONG)


def remember(secret: str) -> None:
    """Keep a secret that is no URL, such as a token, out of what is shown."""
    _known.update(_forms(secret) if secret else ())


def shown(text: str) -> str:
    """A path or URL of a file, as it may be shown; only its scheme, if it can't be read surely."""
    try:
        return str(SecretUrl.store(text))
    except ValueError:
        return f"{text.partition(':')[0]}:{HIDDEN}"


def _of_link(text: str) -> tuple[str, set[str]]:
    """What a folder or a URL shows, and its secrets."""
    scheme, apart, rest = text.partition("://")
    if not apart:
        if ":" in text.partition("@")[0] and "@" in text:
            raise ValueError("It is neither a path nor a URL. A URL is SCHEME://HOST/PATH.")
        path, mark, options = text.partition("?")
        if "=" not in options:  # a ? of a glob
            return text, set()
        names, secrets = _options(options)
        return f"{path}{mark}{names}", secrets
    if not _is_scheme(scheme):
        raise ValueError("It does not begin with a scheme, as https:// is.")
    if scheme in _BARE_PATHS and rest.startswith("/"):
        path, mark, options = rest.partition("?")
        names, secrets = _options(options)
        return f"{scheme}://{path}{mark}{names}", secrets
    return _of_url(scheme, rest)


def _of_url(scheme: str, rest: str) -> tuple[str, set[str]]:
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
    secrets |= {password, fragment, *(value for _, own in steps for value in own)}
    if at and not colon and scheme in _TOKENS:
        secrets, user = secrets | {user}, HIDDEN
    login = f"{user}{f':{HIDDEN}' if colon else ''}{at}"
    tail = f"{slash}{'/'.join(text for text, _ in steps)}{mark}{names}{fragment_mark}{HIDDEN if fragment else ''}"
    return f"{scheme}://{login}{host}{tail}", secrets - {""}


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


def _of_receiver(word: str, ordinal: int) -> tuple[str, set[str]]:
    scheme, apart, rest = word.partition("://")
    if not apart or not _is_scheme(scheme):
        return f"#{ordinal}", _pieces(word)
    return f"{scheme} #{ordinal}", _pieces(rest)


def _pieces(text: str) -> set[str]:
    """`text` and each part of it: which part a service takes for its token, only that service knows."""
    spaced = "".join(" " if letter in _SEPARATORS else letter for letter in text)
    return {text, *(part for part in spaced.split() if len(part) > 3)}


def _forms(secret: str) -> set[str]:
    """The secret as it was written, decoded, encoded anew, and as quoted in Python's or JSON's text."""
    plain = {secret, unquote(secret)}
    encoded = {quote(unquote(secret), safe=""), quote_plus(unquote(secret), safe="")}
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
