"""A token issuer elsewhere, whose keys are fetched over HTTP, and which may hang."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from robosignal.gateway.backend import RemoteIssuer
from robosignal.gateway.keys import LOCAL_ISSUER, LocalKey


class SlowIssuer:
    """Serves its keys; from `hang` on until `go_on`, it takes requests and says nothing.

    `name` is its `iss`. Its own key signs as the local issuer alone.
    """

    def __init__(self, name: str = LOCAL_ISSUER, keys: dict[str, Any] | None = None) -> None:
        self.key = LocalKey.ephemeral()
        self._name = name
        self._keys = keys or self.key.jwks()
        self.asked = 0
        self._answering = threading.Event()
        self._answering.set()

    def hang(self) -> None:
        """Answer no request."""
        self._answering.clear()

    def go_on(self) -> None:
        """Answer again."""
        self._answering.set()

    def elsewhere(self) -> RemoteIssuer:
        """Return it as one that no test asks for its keys."""
        return RemoteIssuer(self._name, f"{self._name}/jwks.json", frozenset({LOCAL_ISSUER}))

    @contextmanager
    def serving(self) -> Iterator[RemoteIssuer]:
        """Serve on loopback."""
        issuer = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                issuer._answering.wait()
                body = json.dumps(issuer._keys).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
                del format, args

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/jwks.json"
            yield RemoteIssuer(self._name, url, frozenset({LOCAL_ISSUER}))
        finally:
            self.go_on()
            server.shutdown()
            thread.join()
            server.server_close()
