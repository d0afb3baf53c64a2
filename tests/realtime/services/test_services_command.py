"""`rt-tag` with services, as a person runs it: real broker, real satellites, real signals."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from kit_command import BIN, lines

from realtime.commands.tag import main

TAG = BIN / "rt-tag"
SOUND = (("", 0.6), ("low", 0.8), ("", 0.7), ("high", 0.8), ("", 0.6))
SECRET = "a-secret-that-nobody-may-see"
pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def wav(kit, write_wav):
    return write_wav("tones.wav", kit.tones(*SOUND))


def run(*args, **environ):
    command = [str(TAG), *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | environ
    )


@pytest.fixture
def running():
    """Start rt-tag and leave it running; it ends with the test."""
    made = []

    def start(*args, **environ):
        command = [str(TAG), *map(str, args)]
        made.append(
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=os.environ | environ,
            )
        )  # fmt: skip
        return made[-1]

    yield start
    for process in made:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.slow
def test_all_of_them_together(broker, listen, web, band_model, wav, tmp_path, house):
    heard = listen(broker)
    said = tmp_path / "said"
    config = tmp_path / "house.toml"
    config.write_text(
        f'model = "{band_model}"\nshell = true\n[on]\nlow = "echo {{label}} {{t}} >> {said}"\n'
        f'[mqtt]\nurl = "{broker.url}"\nid = "hall"\n[webhook]\nurl = "{web.url}"\n'
        f'[clips]\nfolder = "{tmp_path}/clips"\n'
    )
    done = run("--config", config, wav, "--json", "-v")
    assert done.returncode == 0, done.stderr
    events = lines(done.stdout)
    assert [e["label"] for e in events] == ["low", "low", "high", "high"]
    heard.wait("rt-tag/hall/availability", "offline")
    assert heard.all("rt-tag/hall/label/low")[-2:] == ["ON", "OFF"]
    posted = [body for _, _, body in web.requests]
    assert [{k: e[k] for k in x} for e, x in zip(posted, events, strict=True)] == events
    assert said.read_text() == "low 0.9\n"
    assert len([p for p in (tmp_path / "clips").glob("*.flac") if "_near" not in p.name]) == 2
    for line in ("command: 1 delivered", "webhook 127.0.0.1: 4 delivered", "kept"):
        assert line in done.stderr
    assert "LOST" not in done.stderr


@pytest.mark.slow
def test_what_was_lost_is_said_without_being_asked(band_model, wav):
    done = run(wav, "--model", band_model, "--on", "low", "false")
    assert done.returncode == 0
    assert "exit status 1" in done.stderr
    assert "command: 0 delivered, 1 LOST" in done.stderr


def test_secrets_are_never_shown(band_model, tmp_path, broker, wav, monkeypatch, capfd):
    """Not even to a command that prints its whole environment."""
    monkeypatch.setenv("RT_MQTT_PASSWORD", SECRET)
    model = ["--model", str(band_model)]
    config = tmp_path / "s.toml"
    config.write_text(f'[webhook]\ntoken = "{SECRET}"\n')
    assert main([*model, "--config", str(config), "--print-config"]) == 0
    shown = capfd.readouterr()
    assert 'password = ""' in shown.out
    assert "RT_MQTT_PASSWORD, not shown" in shown.out
    mqtt = ["--mqtt", broker.url, "--mqtt-user", "me", "-vv", "--on", "any", "env"]
    assert main([str(wav), *model, *mqtt]) == 0
    said = capfd.readouterr()
    assert "RT_EVENT_LABEL=low" in said.err
    config.write_text(f'[mqtt]\npassword = ["{SECRET}"]\n')
    monkeypatch.delenv("RT_MQTT_PASSWORD")
    assert main(["--config", str(config)]) == 2
    assert main(["--mqtt", f"mqtt://me:{SECRET}@localhost"]) == 2
    assert SECRET not in "".join((*shown, *said, *capfd.readouterr()))


@pytest.mark.slow
def test_shown_settings_of_services_are_a_settings_file(band_model, tmp_path):
    args = ("--model", band_model, "--on", "low", 'say "{label}"', "--shell", "--no-voice",
            "--mqtt", "mqtt://h", "--save-clips", "c", "--webhook", "http://h/x")  # fmt: skip
    first = run(*args, "--print-config")
    assert first.returncode == 0, first.stderr
    for line in ("low = .*# --on", "url = .*# --mqtt", "voice = false .*# --no-voice",
                 "folder = .*# --save-clips", "shell = true .*# --shell"):  # fmt: skip
        assert re.search(line, first.stdout), line
    file = tmp_path / "again.toml"
    file.write_text(first.stdout)
    again = run("--config", file, "--print-config")
    assert again.returncode == 0, again.stderr

    def values(text):
        return [line.partition(" #")[0].rstrip() for line in text.splitlines()]

    assert values(again.stdout) == values(first.stdout)


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["--on", "lwo", "true"], 2, "did you mean low?"),
        (["--on", "low", "no-such-program"], 2, "no program no-such-program"),
        (["--mqtt", "mqtt://127.0.0.1:1"], 6, "mqtt 127.0.0.1:1"),
        (["--wyoming", "tcp://h:x"], 2, "is no address"),
        (["--webhook", "ftp://h"], 2, "is no address"),
        (["--save-clips", "/proc/x"], 6, "cannot be written"),
        (["--mqtt-password", "x"], 2, "did you mean"),
    ],
)
def test_mistakes(band_model, wav, capsys, args, status, message):
    assert main([str(wav), "--model", str(band_model), *args]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


def test_one_that_cannot_open_closes_the_others(band_model, wav, house, capsys):
    port = house.free_port()
    args = ["--wyoming", f"tcp://127.0.0.1:{port}", "--mqtt", "mqtt://127.0.0.1:1"]
    assert main([str(wav), "--model", str(band_model), *args]) == 6
    with socket.create_server(("127.0.0.1", port)):
        pass


# --- a service ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*audioop.*:DeprecationWarning")
def test_a_service_for_satellites_only(
    band_model, kit, running, house, tmp_path, broker, listen
):
    """Started as systemd does, without a microphone; asked; ended by SIGTERM."""
    pytest.importorskip("wyoming", reason="the Wyoming client library: pip install wyoming")
    from wyoming.audio import AudioChunk, AudioStart
    from wyoming.client import AsyncClient

    notify = tmp_path / "notify"
    port = house.free_port()
    heard = listen(broker)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(notify))
        systemd.settimeout(30)
        process = running(
            "--device", "none", "--wyoming", f"tcp://127.0.0.1:{port}", "--model", band_model,
            "--mqtt", broker.url, "--mqtt-id", "cellar",
            NOTIFY_SOCKET=str(notify), WATCHDOG_USEC="9000000",
        )  # fmt: skip
        said = set()
        while not {b"READY=1", b"WATCHDOG=1"} <= said:
            said.add(systemd.recv(100))

        async def ask():
            async with AsyncClient.from_uri(f"tcp://127.0.0.1:{port}") as c:
                await c.write_event(AudioStart(rate=16000, width=2, channels=1).event())
                data = (kit.tones(("", 0.3), ("low", 1.0)) * 32767).astype("<i2").tobytes()
                chunk = AudioChunk(rate=16000, width=2, channels=1, audio=data)
                await c.write_event(chunk.event())
                return await asyncio.wait_for(c.read_event(), 20)

        assert asyncio.run(ask()).data["name"] == "low"
        heard.wait("rt-tag/cellar/availability", "online")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        while b"STOPPING=1" not in said:
            said.add(systemd.recv(100))
    assert process.returncode == 130, err
    assert "1 streams of satellites heard" in err
    heard.wait("rt-tag/cellar/availability", "offline")


def listening(process):
    """The addresses on which a process listens, as the kernel writes them."""
    inodes = set()
    for fd in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(fd))  # noqa: PTH115
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] in ("0A", "07") and f"socket:[{fields[9]}]" in inodes:
                found.append(fields[1].partition(":")[0])
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's tables")
def test_no_port_is_open_unless_asked_for(band_model, running, house, broker, listen):
    heard = listen(broker)
    common = ("--device", "none", "--model", band_model, "--mqtt", broker.url, "--mqtt-id")
    quiet = running(*common, "quiet")
    heard.wait("rt-tag/quiet/availability", "online")
    assert listening(quiet) == []
    asked = running(*common, "asked", "--wyoming", f"tcp://:{house.free_port()}")
    heard.wait("rt-tag/asked/availability", "online")
    assert listening(asked) == ["0100007F"]  # 127.0.0.1


def test_killed_it_is_offline(band_model, running, broker, listen):
    heard = listen(broker)
    process = running(
        "--device", "none", "--model", band_model, "--mqtt", broker.url, "--mqtt-id", "attic"
    )
    heard.wait("rt-tag/attic/availability", "online")
    process.kill()
    heard.wait("rt-tag/attic/availability", "offline")


@pytest.mark.slow
def test_a_live_pipe_goes_on_while_everything_else_is_dead(band_model, kit, broker):
    """A frozen broker, a deaf web server, a command that hangs."""
    sound = np.tile(kit.tones(*SOUND), 10)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        command = [
            TAG, "-", "--format", "f32", "--model", band_model, "--mqtt", broker.url, "--json",
            "--webhook", f"http://127.0.0.1:{deaf.getsockname()[1]}/", "--on", "any", "sleep 5",
        ]  # fmt: skip
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            first = sound[: len(sound) // 10].tobytes()
            process.stdin.write(first)
            process.stdin.flush()
            assert b"low" in process.stdout.readline()  # everything is open now
            broker.process.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            process.stdin.write(sound[len(sound) // 10 :].tobytes())
            process.stdin.close()
            lines = [json.loads(process.stdout.readline()) for _ in range(39)]
            took = time.monotonic() - began
            broker.process.send_signal(signal.SIGCONT)
            process.kill()
    assert took < 30.0  # of 31 s of sound, as fast as it goes
    assert {line["event"] for line in lines} == {"start", "stop"}


@pytest.mark.slow
def test_the_doctor(band_model, broker, capfd):
    assert main(["--doctor", "--model", str(band_model), "--mqtt", broker.url]) == 0
    out = capfd.readouterr().out
    assert re.search(r"^ok  model bands: [\d.]+ % of real time", out, re.MULTILINE)
    assert f"ok  mqtt 127.0.0.1:{broker.port}: lets us in" in out
    assert main(["--doctor", "--model", str(band_model), "--mqtt", "mqtt://127.0.0.1:1"]) == 5
    assert "!!  mqtt 127.0.0.1:1" in capfd.readouterr().out
