"""What a guest downloads from the host, to see that its network works."""

import hashlib
import http.server
import os
import threading


class Server:
    """HTTP on the loopback of who makes it: the same bytes for everybody."""

    def __init__(self, size=8 << 20):
        body = os.urandom(size)
        self.digest = hashlib.sha256(body).hexdigest()
        self.asked = 0
        self.half = threading.Event()  # of an answer was sent
        self.go_on = threading.Event()
        self.go_on.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name # the base's name
                outer.asked += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:size // 2])
                outer.half.set()
                outer.go_on.wait()
                self.wfile.write(body[size // 2:])

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # a peer that was killed
        self._port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def url(self, address):
        """As who takes that address for the loopback sees it."""
        return f"http://{address}:{self._port}/"
