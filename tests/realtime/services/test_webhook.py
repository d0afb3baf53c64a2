"""The webhook with a real HTTP server that is slow, refuses or is away."""

import socket
import time

import pytest

from realtime.errors import UsageError
from realtime.outputs import Start, Stop
from realtime.outputs.webhook import Webhook
from realtime.service_fields import WebhookSettings

TOKEN = "a-token-that-nobody-may-see"


@pytest.fixture
def webhook(house):
    made = []

    def make(url, fresh_s=30.0, timeout_s=30.0, **kwargs):
        settings = WebhookSettings(url=url, **kwargs)
        made.append(Webhook(settings, fresh_s=fresh_s, timeout_s=timeout_s))
        made[-1].open(house.opening())
        return made[-1]

    yield make
    for output in made:
        output.delivery.close(0.0)


def test_each_event_is_a_post(web, webhook, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    output = webhook(web.url, token_file=str(tmp_path / "token"))
    output.event(Start(label="yes", t=1.0, score=0.91234))
    output.event(Stop(label="yes", t=1.5, peak=0.99))
    output.close(complete=True)
    (path, headers, first), (_, _, second) = web.requests
    assert path == "/hook?key=1"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert (first["event"], first["label"], first["score"]) == ("start", "yes", 0.912)
    assert first["time"].endswith("Z")
    assert second["event"] == "stop"
    assert output.counts() == "webhook 127.0.0.1: 2 delivered"  # neither path nor key


def test_tried_again_in_order(web, webhook):
    web.answers = [500, 503]
    output = webhook(web.url)
    for label in ("yes", "no"):
        output.event(Start(label=label, t=1.0, score=0.9))
    output.close(complete=True)
    assert [body["label"] for _, _, body in web.requests] == ["yes", "yes", "yes", "no"]
    assert output.delivery.lost == 0


@pytest.mark.parametrize("status", [302, 401, 404])
def test_a_refusal_is_final_and_leads_nowhere(web, webhook, status, caplog):
    web.answers = [status]
    output = webhook(web.url, token=TOKEN)
    output.event(Start(label="yes", t=1.0, score=0.9))
    output.close(complete=True)
    assert [path for path, _, _ in web.requests] == ["/hook?key=1"]
    assert output.counts().endswith("1 LOST")
    assert f"answers {status}" in caplog.text
    assert TOKEN not in caplog.text


def test_a_slow_server_holds_nothing_up(web, webhook):
    web.delay_s = 60.0
    output = webhook(web.url, fresh_s=0.0, timeout_s=0.2)
    began = time.perf_counter()
    for i in range(3000):
        output.event(Start(label="yes", t=float(i), score=0.9))
    assert time.perf_counter() - began < 30.0
    output.delivery.close(0.3)
    assert output.delivery.lost >= 2999
    web.delay_s = 0.0


@pytest.mark.parametrize("answer", [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 O"])
def test_a_server_that_is_none(answer, webhook):
    with socket.create_server(("127.0.0.1", 0)) as server:
        output = webhook(f"http://127.0.0.1:{server.getsockname()[1]}", fresh_s=0.0)
        output.event(Start(label="yes", t=1.0, score=0.9))
        connection, _ = server.accept()
        with connection:
            asked = b""
            while not asked.endswith(b"}"):  # what is left unread would break the answer off
                asked += connection.recv(4096)
            connection.sendall(answer)
        output.close(complete=True)
    assert output.delivery.lost == (0 if b" 200 " in answer else 1)


def test_nobody_there(house, webhook, caplog):
    output = webhook(f"http://127.0.0.1:{house.free_port()}/", fresh_s=0.0)
    output.event(Start(label="yes", t=1.0, score=0.9))
    output.close(complete=True)
    assert output.delivery.lost == 1
    assert "refused" in caplog.text


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "example.org"},
        {"url": "file:///etc/passwd"},
        {"url": "http://"},
        {"url": "http://h:port/"},
        {"url": f"http://me:{TOKEN}@h/"},
        {"url": "http://h/", "token": TOKEN + "\r\nX: y"},
        {"url": "http://h/", "token_file": "/no/file"},
    ],
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(UsageError) as e:
        Webhook(WebhookSettings(**settings))
    assert TOKEN not in e.value.line()
    assert e.value.hint
