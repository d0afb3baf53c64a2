"""Where the Wyoming service listens."""

import socket

import pytest

from realtime.errors import OutputError, UsageError


def test_this_computer_only_unless_told(service, caplog):
    one = service("tcp://:0")
    assert one._socket.getsockname()[0] == "127.0.0.1"
    assert not caplog.text
    everybody = service("tcp://0.0.0.0:0")
    assert everybody._socket.getsockname()[0] == "0.0.0.0"
    assert "no password" in caplog.text


def test_a_socket_in_a_folder(service, tmp_path):
    path = tmp_path / "w.sock"
    one = service(f"unix://{path}")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OutputError):
        service(f"unix://{path}")  # it is taken
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b'{"type": "describe"}\n')
        assert b'"info"' in sock.recv(100)
    one.close(complete=True)
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # as after a crash
    service(f"unix://{path}").close(complete=True)


def test_addresses_that_cannot_be(service):
    taken = service()
    with pytest.raises(OutputError, match="in use"):
        service(f"tcp://{taken.shown}")
    with pytest.raises(OutputError):
        service("tcp://no-such-host.invalid:10400")
    for uri in ("10400", "http://localhost", "tcp://h:port", "unix://", "tcp://h:1/path"):
        with pytest.raises(UsageError, match="is no address"):
            service(uri)
