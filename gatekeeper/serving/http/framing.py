"""Request framing (RFC 9112): where a request begins and ends, read strictly and before the parser sees a byte.

Whoever reads a request more leniently than the proxy before it can be made to see two requests where the proxy saw one
(request smuggling). So what is ambiguous is refused: each head and body has one reading or none.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from gatekeeper.serving.http.problems import Problem
from gatekeeper.serving.http.request_limits import CLOSE

HEAD_BYTES = 16 * 1024
HEAD_FIELDS = 64
FREE_CHUNKS = 256  # of one body, however short; more have to bring CHUNK_BYTES each, on average
CHUNK_BYTES = 64  # each chunk costs the loop as much time as so many bytes
END = b"\r\n\r\n"

ONCE = (b"host", b"authorization", b"content-length", b"content-type", b"transfer-encoding")

# Possessive: each byte is looked at once, whatever the sender writes.
_HEAD = re.compile(
    rb"([A-Z]{1,20}) ([!-~]++) HTTP/([0-9])\.([0-9])\r\n"
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
)
_WATCHED = re.compile(
    rb"\r\n(host|authorization|content-length|content-type|transfer-encoding|upgrade):[ \t]*+([^\r]*)", re.IGNORECASE
)
_UPGRADE = re.compile(rb"(?<=\r\n)upgrade:[^\r]*+\r\n", re.IGNORECASE)
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_FOLDED = re.compile(rb"\r\n[ \t]")
_SPACE_BEFORE_COLON = re.compile(rb"\r\n[^\r:]*[ \t]+:")
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+;=:%\[\]-]*+")
_DIGITS = re.compile(rb"[0-9]{1,15}")
_TARGET = re.compile(rb"http://([^/?#]*+)(/.*)?+", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_SIZE_BEGUN = re.compile(rb"[0-9A-Fa-f]{0,8}\r?")


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head as the parser is to read it, and what follows it: `length` bytes, or chunks."""

    content: bytes
    length: int
    chunked: bool


def malformed(detail: str) -> Problem:
    """A request with no reading or with several; its connection is closed, since nobody knows where the next begins."""
    return Problem(400, "malformed", detail, headers=CLOSE)


def too_long_head() -> Problem:
    """A head over `HEAD_BYTES` or `HEAD_FIELDS`."""
    return Problem(
        431,
        "head",
        f"The request's head has over {HEAD_BYTES // 1024} KiB or {HEAD_FIELDS} headers. Send fewer or shorter ones.",
        headers=CLOSE,
    )


def check_beginning(content: bytes, since: int) -> None:
    """Raise Problem if the bytes from `since` on, with what stands before them, can't become a head any more."""
    if len(content) > HEAD_BYTES:
        raise too_long_head()
    if _BARE_LINE_FEED.search(content, since):
        raise malformed("A line of the head ends in a bare line feed. End each with CR and LF.")


@lru_cache(maxsize=128)  # a client's heads are mostly alike; a refusal is not kept
def read_head(content: bytes) -> Head:
    """The head that is `content`, up to its empty line. Raises Problem."""
    if len(content) > HEAD_BYTES or content.count(b"\n") > HEAD_FIELDS + 2:
        raise too_long_head()
    read = _HEAD.fullmatch(content)
    if read is None:
        raise _unreadable(content)
    method, target, major, minor = read.groups()
    if major != b"1" or minor not in b"01":
        raise Problem(505, "version", "This server speaks HTTP/1.1 and HTTP/1.0.", headers=CLOSE)
    if method == b"CONNECT":
        raise malformed("CONNECT asks for a tunnel, and this server is not a proxy.")
    given: dict[bytes, bytes] = {}
    upgrades = False
    for field, value in _WATCHED.findall(content):
        name = field.lower()
        if name == b"upgrade":
            upgrades = True
        elif name in given:
            raise malformed(f"The header {name.decode()} is given twice. Send it once.")
        else:
            given[name] = value.rstrip(b" \t")
    if upgrades:  # to HTTP/2 or to a web socket: an offer, which a server may leave unheard
        content = _UPGRADE.sub(b"", content)
    _check_host(given.get(b"host"), minor)
    if target[:1] != b"/":
        content = content.replace(target, _path(target, given.get(b"host")), 1)
    return _framed(content, given.get(b"content-length"), given.get(b"transfer-encoding"), minor)


def _framed(content: bytes, length: bytes | None, coding: bytes | None, minor: bytes) -> Head:
    if coding is not None:
        if length is not None:
            raise malformed("Content-Length and Transfer-Encoding are both given. Send one of them.")
        if coding.lower() != b"chunked" or minor == b"0":
            raise malformed("Transfer-Encoding is not `chunked`, or the request is HTTP/1.0. Send Content-Length.")
        return Head(content, 0, chunked=True)
    if length is None:
        return Head(content, 0, chunked=False)
    if not _DIGITS.fullmatch(length):
        raise malformed("Content-Length is not one number of at most 15 digits.")
    return Head(content, int(length), chunked=False)


def _check_host(host: bytes | None, minor: bytes) -> None:
    if host is None:
        if minor != b"0":
            raise malformed("The request has no Host header, which HTTP/1.1 needs.")
    elif not _HOST.fullmatch(host):
        raise malformed("The Host header is not the name of one host.")


def _path(target: bytes, host: bytes | None) -> bytes:
    """The path of an absolute target, as a client sends it to what it takes for a proxy. Raises Problem."""
    read = _TARGET.fullmatch(target)
    if read is None:
        raise malformed("The request's target is not a path, such as /v1/score.")
    if read[1].lower() != (host or b"").lower():
        raise malformed("The request's target and its Host header name different hosts.")
    return read[2] or b"/"


def _unreadable(content: bytes) -> Problem:
    """What is wrong with a head that isn't one."""
    if b"\x00" in content:
        return malformed("The head has a NUL byte.")
    if _BARE_LINE_FEED.search(content):
        return malformed("A line of the head ends in a bare line feed. End each with CR and LF.")
    if _FOLDED.search(content):
        return malformed("A header is folded over several lines. Send it in one.")
    if _SPACE_BEFORE_COLON.search(content):
        return malformed("A header has a space before its colon.")
    return malformed("The head is not one of HTTP/1.1: a request line and headers, each `Name: value`.")


class Chunks:
    """Finds the end of a chunked body (RFC 9112, 7.1), without extensions and trailers, which nothing here reads.

    A trailer would otherwise join the headers: an `Authorization` after the body.
    """

    def __init__(self) -> None:
        self._left = 0  # of the present chunk, its CRLF included
        self._count = self._total = 0

    def read(self, data: bytes) -> tuple[int, bool]:
        """How many bytes of `data` belong to the body, and whether it ends there. Raises Problem.

        The rest is the beginning of a size line, to be given again with what follows it, or the next request.
        """
        at = 0
        while True:
            if self._left:
                taken = min(self._left, len(data) - at)
                at += taken
                self._left -= taken
                if self._left:
                    return at, False
                if data[at - 1 : at] != b"\n":
                    raise malformed("A chunk of the body is longer than its size says.")
            size = _SIZE.match(data, at)
            if size is None:
                if not _SIZE_BEGUN.fullmatch(data, at):
                    raise malformed("A chunk's size is not 1 to 8 hexadecimal digits alone in a line.")
                return at, False
            length = int(size[1], 16)
            if not length:
                return self._last(data, at, size.end())
            self._count += 1
            self._total += length
            if self._count > FREE_CHUNKS + self._total // CHUNK_BYTES:
                raise Problem(
                    413,
                    "too_large",
                    f"The body has over {FREE_CHUNKS} chunks of under {CHUNK_BYTES} bytes on average. "
                    "Send larger ones, or Content-Length.",
                    headers=CLOSE,
                )
            at = size.end()
            self._left = length + 2

    def _last(self, data: bytes, at: int, after: int) -> tuple[int, bool]:
        end = data[after : after + 2]
        if end == b"\r\n":
            return after + 2, True
        if end in (b"", b"\r"):
            return at, False
        raise malformed("The body has trailers. Send all headers before it.")
