"""Paths that are odd: closed folders, rings of links, long names, names that are no UTF-8."""

import os
import shutil
import sys

import pytest
from kit_command import call, installed, lines, refused
from kit_command import call as run

from realtime.errors import OutputError
from realtime.outputs.replace import Replacement
from realtime.places import kind_at, same_file, shown

soundfile = pytest.importorskip("soundfile")
pytestmark = [installed, pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")]

TAKEN = "-dac_override,-dac_read_search"
HUMBLE = f'exec setpriv --bounding-set={TAKEN} --inh-caps={TAKEN} "$@"'


@pytest.fixture
def closed(tmp_path):
    """A folder that its user may not enter."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may enter every folder")
    yield folder
    folder.chmod(0o755)


@pytest.fixture
def ring(tmp_path):
    """A link to a link to itself."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.symlink_to(two)
    two.symlink_to(one)
    return one


def test_a_closed_folder(closed, talk, tmp_path):
    inside = closed / "x"

    def call(*args, **more):  # root may enter every folder, unless that is taken from it
        return run(*args, shell=HUMBLE if os.geteuid() == 0 else ":", **more)

    refused(call("rt-gate", inside, tmp_path / "o.wav"), 4, "cannot be read: Permission denied")
    refused(call("rt-gate", talk, inside), 6, "cannot be written: Permission denied")
    refused(call("rt-tag", talk, "--scores", inside), 6, "cannot be written: Permission denied")
    refused(call("rt-tag", talk, "--model", inside), 3, "Permission denied")
    done = call("rt-tag", talk, environ={"XDG_CONFIG_HOME": str(closed)})
    assert done.returncode == 0, done.stderr


def test_a_ring_of_links(ring, talk, tmp_path):
    refused(call("rt-tag", ring), 4, "Too many levels of symbolic links")
    assert kind_at(ring) == ""
    assert not same_file(ring, talk)
    assert call("rt-gate", talk, tmp_path / "o.wav", "--trace", ring).returncode == 0


def test_a_long_name(talk, tmp_path):
    name = "ä" * 120 + ".flac"  # 245 bytes, of 255
    assert call("rt-gate", talk, tmp_path / name).returncode == 0
    assert (tmp_path / name).exists()
    with pytest.raises(OutputError, match="too long"):
        Replacement(tmp_path / ("x" * 300))
    assert not list(tmp_path.glob(".*"))


def test_a_name_that_is_no_utf_8(write_wav, kit, band_model, tmp_path):
    sound = kit.tones(("", 0.6), ("low", 0.8), ("", 0.6))
    odd, out = (os.fsencode(tmp_path) + b"/" + name for name in (b"b\xff.wav", b"o\xfe.wav"))
    where, there = os.fsdecode(odd), os.fsdecode(out)
    write_wav("plain.wav", sound).rename(where)
    done = call("rt-gate", where, there, "--json")
    assert done.returncode == 0, done.stderr
    assert soundfile.info(out).frames == len(sound)
    done = call("rt-tag", where, where, "--model", band_model)
    assert done.returncode == 0, done.stderr
    assert [event["file"] for event in lines(done.stdout)] == [shown(where)] * 4
    assert shown(where).endswith("b\\xff.wav")
    done = call("rt-tag", where, "--table", "--model", band_model)
    assert done.returncode == 0, done.stderr


def test_standard_output_is_no_file(talk, tmp_path):
    refused(call("rt-tag", talk, "--scores", "-"), 6, "- is no file", "name a file")


def test_a_full_disk_is_no_wrong_kind_of_file(monkeypatch, tmp_path, bursts):
    from realtime.outputs.audio import FileSink, Kind

    def full(*_args, **_more):
        raise soundfile.LibsndfileError(2)

    assert "System error" in str(soundfile.LibsndfileError(2))
    monkeypatch.setattr(soundfile, "SoundFile", full)
    with pytest.raises(OutputError, match="takes no more") as e:
        FileSink(str(tmp_path / "x.wav"), Kind(16_000, 1, "WAV", "PCM_16"))
    assert "disk full" in e.value.hint
    assert not list(tmp_path.iterdir())
