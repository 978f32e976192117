"""A web server that answers what the test wants, in the place of a hub."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from brokers import LOOPBACK

from provisioning.hub_client import HubClient

KEY = "example-key"


class Answers(BaseHTTPRequestHandler):
    """Answers what the test wants, and notes what it was asked."""

    def _answer(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.server.asked.append((self.command, self.path, self.headers["Authorization"], body))
        status, data, headers = self.server.answer(self.command, self.path)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = _answer  # noqa: N815 - as http.server looks for them

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    with ThreadingHTTPServer((LOOPBACK, 0), Answers) as made:
        made.asked, made.answer = [], lambda *_: (200, b"[]", {})
        made.url = f"http://{LOOPBACK}:{made.server_port}"
        made.client = HubClient(made.url, KEY, None)
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join(10)


def says(status, data=b"", **headers):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return lambda *_: (status, body, headers)


def problem(kind, detail):
    return {"type": f"urn:pingyi:problem:{kind}", "title": "-", "status": 0, "detail": detail}
