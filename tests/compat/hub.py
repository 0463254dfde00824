"""A server that speaks as much of the API of the Hugging Face Hub as the upload of one file needs."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub:
    """Repositories in memory.

    Attributes:
        spaces: Files of every Space by `owner/name`: path → content.
        created: What was asked for when each was made.
        messages: Messages of the commits.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.spaces: dict[str, dict[str, bytes]] = {}
        self.created: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self.url = ""

    def answer(self, path: str, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of a POST."""
        if token != f"Bearer {self.token}":
            return 401, {"error": "Invalid credentials in Authorization header"}
        parts = path.removeprefix("/api/").split("/")
        if parts == ["repos", "create"]:
            return self._create(json.loads(body))
        space = "/".join(parts[1:3])
        if parts[0] != "spaces" or space not in self.spaces:
            return 404, {"error": "Repository not found"}
        if parts[3:] == ["preupload", "main"]:
            files = json.loads(body)["files"]
            return 200, {"files": [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in files]}
        if parts[3:] == ["commit", "main"]:
            return self._commit(space, [json.loads(line) for line in body.splitlines()])
        return 404, {"error": f"no such endpoint: {path}"}

    def _create(self, wanted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        space = f"{wanted['organization']}/{wanted['name']}"
        answer = {"url": f"{self.url}/spaces/{space}"}
        if space in self.spaces:
            return 409, {**answer, "error": "You already created this space repo"}
        self.created.append(wanted)
        self.spaces[space] = {}
        return 200, answer

    def _commit(self, space: str, lines: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        header, *files = lines
        assert header["key"] == "header"
        for file in files:
            assert (file["key"], file["value"]["encoding"]) == ("file", "base64")
            self.spaces[space][file["value"]["path"]] = base64.b64decode(file["value"]["content"])
        self.messages.append(header["value"]["summary"])
        oid = f"{len(self.messages):040x}"
        return 200, {"commitUrl": f"{self.url}/spaces/{space}/commit/{oid}", "commitOid": oid}


@contextmanager
def hub_server(token: str) -> Iterator[Hub]:
    """Run a hub on loopback until the block is left."""
    hub = Hub(token)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = hub.answer(self.path, self.headers.get("Authorization", ""), body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
