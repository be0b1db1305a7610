"""A TLS door before a plain server on loopback, as hospitals put one there (Orthanc 1.10.1 dies of its own HTTPS)."""

import contextlib
import socket
import ssl
import threading


class TlsDoor:
    """Listens with a certificate and hands on every byte, both ways."""

    def __init__(self, port: int, key, certificate) -> None:
        self._to = ("127.0.0.1", port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._guest, args=(self._listener.accept()[0],), daemon=True).start()

    def _guest(self, plain: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            plain,
            self._context.wrap_socket(plain, server_side=True) as guest,
            socket.create_connection(self._to) as server,
        ):
            back = threading.Thread(target=self._copy, args=(server, guest), daemon=True)
            back.start()
            self._copy(guest, server)
            back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)
