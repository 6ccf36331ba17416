"""Secrets of a source over a whole weekly run: its steps, documents, receipt, card and report show none."""

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from weekly_data import write_ideas
from weekly_house import House

from gatekeeper.registry.views import card_text

LEFT, RIGHT = "Qvzkwxjy", "Jxqzvkwh"
PASSWORD = f"{LEFT}/@:#?%& é'\"{RIGHT}"  # each of them means something to some parser
LOGIN = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode("latin-1")).decode()  # as aiohttp encodes it


@pytest.fixture
def source(tmp_path: Path) -> Iterator[str]:
    """A file of ideas on a web server that asks for the password."""
    write_ideas(tmp_path / "ideas.csv", start="2015-01-02", end="2018-01-12", edge_from="2016-01-01", seed=3)
    content = (tmp_path / "ideas.csv").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.headers.get("Authorization") == LOGIN else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(content)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"ideas:http://ann:{quote(PASSWORD, safe='')}@127.0.0.1:{server.server_port}/ideas.csv?token={LEFT}"
    server.shutdown()
    server.server_close()


def kept(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_weekly_run_keeps_the_password_to_itself(tmp_path: Path, source: str, caplog: Any) -> None:
    """Case 102: what the steps hand on (XCom), documents, receipt, card, report, the database and every other file."""
    (tmp_path / "house").mkdir()
    house = House(tmp_path / "house", source)
    as_of = datetime(2018, 1, 15, 2, tzinfo=UTC)
    _, output = house.until("promote", as_of, holdout_days=130)
    texts = {
        "step output": json.dumps(output),
        "settings": repr(house.settings) + house.settings.model_dump_json(),
        "receipt": house.registry.receipt(1).decode(),
        "card": card_text.markdown(house.registry.pages.card(1, now=as_of)),
        "log": caplog.text,
        "run": repr(house.run(as_of)),
    }
    for name, text in texts.items():
        assert LEFT not in text, name
        assert RIGHT not in text, name
    for name, content in kept(tmp_path / "house").items():
        assert LEFT.encode() not in content, name
        assert RIGHT.encode() not in content, name
    shown = f"ideas:http://ann:***@{source.rpartition('@')[2].partition('?')[0]}?token=***"
    assert shown in texts["receipt"]
    (report,) = (tmp_path / "house" / "reports").glob("*.html")
    assert shown in report.read_text()
