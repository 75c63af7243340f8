"""A mail server that keeps what it is sent: enough of SMTP for the standard library's client."""

import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast("MailServer", self.server)
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                server.take(b"".join(line[1:] if line.startswith(b"..") else line for line in lines))
                self._say("250 kept")
            elif verb == "RCPT" and "refused@" in line:
                self._say("550 nobody here")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    """Listens on a free port of this machine until `close`."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.letters: list[EmailMessage] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def take(self, content: bytes) -> None:
        """Keep a mail."""
        self.letters.append(cast("EmailMessage", message_from_bytes(content, policy=policy.default)))

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()
