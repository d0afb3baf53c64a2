"""Write a card into a model file, the way the runners read it.

ONNX: the metadata property `rt.card`. TFLite: the associated file `rt.card.json` in a zip
archive after the model; interpreters ignore what follows the flatbuffer, from a file that they
map and from a buffer alike (source: tensorflow.org/lite/models/convert/metadata).
"""

from __future__ import annotations

import io
import zipfile

from realtime.card import Card
from realtime.runners import CARD_FILE, CARD_KEY

TFLITE_MAGIC = b"TFL3"  # at byte 4
EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first instant: the same card gives the same bytes


def stamp(model: bytes, card: Card) -> bytes:
    """A model file with this card, in place of any it had.

    Args:
        model: bytes of an ONNX or a TFLite file.
        card: what to write.
    """
    text = card.to_json()
    if model[4:8] == TFLITE_MAGIC:
        return _stamp_tflite(model, text)
    return _stamp_onnx(model, text)


def _stamp_onnx(model: bytes, text: str) -> bytes:
    import onnx

    proto = onnx.load_from_string(model)
    others = {p.key: p.value for p in proto.metadata_props if p.key != CARD_KEY}
    onnx.helper.set_model_props(proto, {**others, CARD_KEY: text})
    data: bytes = proto.SerializeToString()
    return data


def _stamp_tflite(model: bytes, text: str) -> bytes:
    file = io.BytesIO()
    others: dict[str, bytes] = {}
    if zipfile.is_zipfile(io.BytesIO(model)):
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            begin = min((i.header_offset for i in archive.infolist()), default=len(model))
            others = {n: archive.read(n) for n in archive.namelist() if n != CARD_FILE}
        model = model[:begin]
    file.write(model)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**others, CARD_FILE: text.encode()}.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=9)
    return file.getvalue()
