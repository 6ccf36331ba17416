"""Request framing: a request has one reading or none, wherever the network cuts it."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatekeeper.serving.http.framing import HEAD_BYTES, HEAD_FIELDS, Chunks, check_beginning, read_head
from gatekeeper.serving.http.problems import Problem

LINE = b"POST /v1/score HTTP/1.1\r\n"
HOST = b"Host: a\r\n"


def refusal(content: bytes) -> tuple[int, str]:
    with pytest.raises(Problem) as raised:
        read_head(content)
    assert (b"connection", b"close") in raised.value.headers
    return raised.value.status, str(raised.value)


@pytest.mark.parametrize("name", ["Host", "Authorization", "Content-Length", "Content-Type", "Transfer-Encoding"])
@pytest.mark.parametrize("same", [True, False])
def test_what_decides_is_given_once(name: str, same: bool) -> None:
    """Case 101: the last one of two won; a proxy before us may go by the first."""
    values = {"Host": "ab", "Content-Length": "57", "Transfer-Encoding": ("chunked", "gzip")}.get(name, ("x", "y"))
    fields = [f"{name}: {values[0]}", f"{name.upper()}:\t{values[0] if same else values[1]}"]
    given_host = "" if name == "Host" else "Host: a\r\n"
    content = f"POST / HTTP/1.1\r\n{given_host}{fields[0]}\r\nX-Between: 1\r\n{fields[1]}\r\n\r\n".encode()
    assert refusal(content) == (400, f"The header {name.lower()} is given twice. Send it once.")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "both given"),
        (b"Content-Length: 5, 5\r\n", "not one number"),
        (b"Content-Length: +5\r\n", "not one number"),
        (b"Content-Length: -1\r\n", "not one number"),
        (b"Content-Length: 0x5\r\n", "not one number"),
        (b"Content-Length: 5 5\r\n", "not one number"),
        (b"Content-Length:\r\n", "not one number"),
        (b"Content-Length: 9999999999999999\r\n", "not one number"),
        (b"Transfer-Encoding: gzip\r\n", "not `chunked`"),
        (b"Transfer-Encoding: gzip, chunked\r\n", "not `chunked`"),
        (b"Transfer-Encoding: chunked, chunked\r\n", "not `chunked`"),
        (b"Transfer-Encoding: xchunked\r\n", "not `chunked`"),
        (b"Transfer-Encoding:\r\n", "not `chunked`"),
        (b"X: a\r\n b\r\n", "folded"),
        (b"X: a\r\n\tb\r\n", "folded"),
        (b"Content-Length : 5\r\n", "space before its colon"),
        (b"Content-Length\t: 5\r\n", "space before its colon"),
        (b"X: a\x00b\r\n", "NUL"),
        (b"X: a\nContent-Length: 5\r\n", "bare line feed"),
        (b"X: a\rContent-Length: 5\r\n", "not one of HTTP/1.1"),
        (b"X: a\x0bb\r\n", "not one of HTTP/1.1"),
        (b"X: a\x7fb\r\n", "not one of HTTP/1.1"),
        (b": a\r\n", "not one of HTTP/1.1"),
        (b"a\r\n", "not one of HTTP/1.1"),
        (b"a b: c\r\n", "not one of HTTP/1.1"),
        (b"a\xff: c\r\n", "not one of HTTP/1.1"),
    ],
)
def test_what_has_two_readings_is_refused(fields: bytes, said: str) -> None:
    status, detail = refusal(LINE + HOST + fields + b"\r\n")
    assert status == 400 and said in detail


@pytest.mark.parametrize("value", [b"a, b", b"a b", b"user@a", b"a/b", b"http://a"])
def test_a_host_is_one_host(value: bytes) -> None:
    assert "not the name of one host" in refusal(LINE + b"Host: " + value + b"\r\n\r\n")[1]


@pytest.mark.parametrize("value", [b"a", b"A.example:8055", b"[::1]:8055", b"127.0.0.1", b""])
def test_hosts_that_are(value: bytes) -> None:
    assert read_head(LINE + b"Host: " + value + b"\r\n\r\n").length == 0


def test_a_host_is_needed_from_1_1_on() -> None:
    assert "no Host header" in refusal(LINE + b"\r\n")[1]
    assert read_head(b"GET / HTTP/1.0\r\n\r\n").length == 0
    assert refusal(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")[0] == 400


@pytest.mark.parametrize("version", [b"2.0", b"0.9", b"1.2", b"3.0"])
def test_other_versions(version: bytes) -> None:
    assert refusal(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")[0] == 505


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        (b"http://a/v1/score?x=1", b"a", b"/v1/score?x=1"),
        (b"HTTP://A:80/v1/score", b"a:80", b"/v1/score"),
        (b"http://a", b"a", b"/"),
        (b"http://b/v1/score", b"a", None),
        (b"http://a@b/v1/score", b"b", None),
        (b"http://a/v1/score", b"", None),
        (b"https://a/", b"a", None),
        (b"*", b"a", None),
        (b"a:80", b"a:80", None),
        (b"v1/score", b"a", None),
    ],
)
def test_an_absolute_target_names_the_host_that_the_header_names(
    target: bytes, host: bytes, path: bytes | None
) -> None:
    content = b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    if path is None:
        assert refusal(content)[0] == 400
    else:
        assert read_head(content).content == b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"


def test_an_offer_to_upgrade_is_left_out() -> None:
    """Case 98: the headers as Java's HttpClient sends them."""
    fields = b"Connection: Upgrade, HTTP2-Settings\r\nContent-Length: 5\r\nHost: a\r\nHTTP2-Settings: AAEAAEAAAAI\r\n"
    read = read_head(LINE + fields + b"Upgrade: h2c\r\nuPGRADE:websocket\r\nContent-Type: a\r\n\r\n")
    assert (read.content, read.length) == (LINE + fields + b"Content-Type: a\r\n\r\n", 5)


def test_a_head_has_its_size_and_its_count() -> None:
    def of(size: int) -> bytes:
        start = LINE + HOST + b"X: "
        return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"

    assert read_head(of(HEAD_BYTES)).length == 0
    assert refusal(of(HEAD_BYTES + 1))[0] == 431
    assert read_head(LINE + HOST + b"X: 1\r\n" * (HEAD_FIELDS - 1) + b"\r\n").length == 0
    assert refusal(LINE + HOST + b"X: 1\r\n" * HEAD_FIELDS + b"\r\n")[0] == 431
    check_beginning(b"a" * HEAD_BYTES, 0)
    for content in (b"a" * (HEAD_BYTES + 1), b"GET / HTTP/1.1\n"):
        with pytest.raises(Problem):
            check_beginning(content, 0)


def in_pieces(content: bytes, cuts: list[int]) -> tuple[int, bool] | str:
    """Where the body ends, read as the protocol does: what is left is given again with the next piece."""
    chunks, taken, left = Chunks(), 0, b""
    places = [*sorted({min(cut, len(content)) for cut in cuts}), len(content)]
    start = 0
    for place in places:
        data = left + content[start:place]
        start = place
        if not data:
            continue
        try:
            used, done = chunks.read(data)
        except Problem as problem:
            return problem.reason
        taken += used
        if done:
            return taken, True
        left = data[used:]
    return taken, False


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.binary(max_size=9),
    st.lists(st.integers(0, 300), max_size=9),
)
@example([b"\r\n0\r\n\r\n"], b"GET /", [1, 2, 3])
def test_a_chunked_body_ends_where_it_ends_however_it_is_cut(parts: list[bytes], rest: bytes, cuts: list[int]) -> None:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    assert in_pieces(body + rest, cuts) == (len(body), True)


@pytest.mark.parametrize(
    "body",
    [
        b"5;name=value\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"fffffffff\r\nhello",
        b"100000000\r\nhello",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"0\r\nAuthorization: Bearer x\r\n\r\n",
        b"0\r\nX: y\r\n\r\n",
    ],
)
@given(cuts=st.lists(st.integers(0, 40), max_size=5))
def test_chunks_with_two_readings_are_refused(body: bytes, cuts: list[int]) -> None:
    assert in_pieces(body, cuts) == "malformed"


def test_chunks_are_counted() -> None:
    """256 may be as short as they like; beyond, each has to bring 64 bytes, on average."""
    short, long = b"1\r\na\r\n", b"40\r\n" + b"a" * 64 + b"\r\n"
    end = b"0\r\n\r\n"
    for good in (short * 256, long * 3000, long * 3000 + short * 256):
        assert in_pieces(good + end, []) == (len(good + end), True)
        assert in_pieces(good + short * 300 + end, []) == "too_large"


FIELD: Any = st.tuples(
    st.sampled_from(["Host", "Content-Length", "Transfer-Encoding", "X", "Upgrade", "Connection", "Content-Length "]),
    st.sampled_from(["a", "5", "5, 5", "chunked", "gzip", "h2c", "upgrade", "", "a\x00", " 5 ", "a\r\n b"]),
)


@given(st.lists(FIELD, max_size=6))
def test_what_is_read_is_read_alike_by_a_parser_that_knows_nothing_of_it(fields: list[tuple[str, str]]) -> None:
    """The standard library's: for each head that is taken, the same length of the body, and no second of its kind."""
    from http.client import parse_headers
    from io import BytesIO

    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    content = b"POST / HTTP/1.1\r\n" + lines.encode() + b"\r\n"
    try:
        read = read_head(content)
    except Problem:
        return
    parsed = parse_headers(BytesIO(read.content.partition(b"\r\n")[2]))
    assert [len(parsed.get_all(name, [])) for name in ("host", "upgrade")] == [1, 0]
    lengths, codings = parsed.get_all("content-length", []), parsed.get_all("transfer-encoding", [])
    assert len(lengths) + len(codings) <= 1
    assert read.chunked == (codings == ["chunked"])
    assert read.length == (int(lengths[0]) if lengths else 0)
