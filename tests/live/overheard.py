"""rt-tag, keeping a copy of what its device gives: overheard.py HEARD.wav [its options]."""

import sys

import soundfile

from realtime.commands.tag import main
from realtime.sources import Block
from realtime.sources.device import DeviceSource

path, *options = sys.argv[1:]
blocks = DeviceSource.blocks


def kept(source):
    """The same blocks, each written down before the engine has it."""
    with soundfile.SoundFile(path, "w", source.rate, source.channels, "FLOAT") as file:
        for item in blocks(source):
            if isinstance(item, Block):
                file.write(item.audio)
            yield item


DeviceSource.blocks = kept
sys.exit(main(options))
