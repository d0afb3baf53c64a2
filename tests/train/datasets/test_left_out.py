"""Every layout: what is missing, broken or empty is listed, each on a line, and left out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from train.datasets import LAYOUTS, list_rows
from train.datasets.files import ARRAYS
from train.manifest import whole_of

GONE, BROKEN, EMPTY = "gone", "broken", "empty"  # what the names of such files hold
STATES = ("good", "fine", BROKEN, EMPTY, GONE)
WORDS = [f"yes/{state}_nohash_0.wav" for state in STATES[:4]]
POOL = [f"speech-commands/{word}" for word in WORDS]
NOISES = [f"noise/effects/{state}.wav" for state in STATES]
SOUNDS = "file,source_id,licence,category\n" + "".join(
    f"{name},{i},CC0,rain\n" for i, name in enumerate(NOISES)
)
ONTOLOGY = """[
 {"id": "/m/a", "name": "Animal", "child_ids": ["/m/dog"], "restrictions": []},
 {"id": "/m/dog", "name": "Dog", "child_ids": [], "restrictions": []}
]"""
FSD50K = {
    "FSD50K.ground_truth/vocabulary.csv": "0,Dog,/m/dog\n",
    "FSD50K.ground_truth/dev.csv": "fname,labels,mids,split\n"
    + "".join(f"{state},Dog,/m/dog,train\n" for state in STATES[1:]),
    "FSD50K.ground_truth/eval.csv": "fname,labels,mids\ngood,Dog,/m/dog\n",
}
FREESOUND = ["FSD50K.eval_audio/good.wav",
             *(f"FSD50K.dev_audio/{state}.wav" for state in STATES[1:])]  # fmt: skip
ESC = {
    "meta/esc50.csv": "filename,fold,target,category,esc10,src_file,take\n"
    + "".join(f"{s}.wav,{i},0,dog,True,{i},A\n" for i, s in enumerate(STATES, 1))
}
ESC_FILES = [f"audio/{state}.wav" for state in STATES]
LABELLED = [f"dog/{state}.wav" for state in STATES[:4]]

# texts of a layout by name, and its sounds
TREES: dict[str, tuple[dict[str, str], list[str]]] = {
    "audioset": ({
        "class_labels_indices.csv": "index,mid,display_name\n0,/m/dog,Dog\n",
        "eval_segments.csv": "".join(f'{s}, 0.000, 10.000, "/m/dog"\n' for s in STATES),
    }, [f"{state}.wav" for state in STATES]),
    "dcase": ({
        "meta.txt": "".join(f"audio/{s}.wav\tbus\tp{s}\n" for s in STATES),
        "evaluation_setup/fold1_train.txt":
            "".join(f"audio/{s}.wav\tbus\n" for s in STATES[1:]),
        "evaluation_setup/fold1_evaluate.txt": "audio/good.wav\tbus\n",
    }, ESC_FILES),
    "ears": ({"sounds.csv": SOUNDS}, [*POOL, *NOISES]),
    "esc10": (ESC, ESC_FILES),
    "esc50": (ESC, ESC_FILES),
    "features": ({}, [f"dog/{state}.npy" for state in STATES[:4]]),
    "folders": ({}, LABELLED),
    "fsd50k": (FSD50K, FREESOUND),
    "fsd50k-families": ({**FSD50K, "ontology.json": ONTOLOGY}, FREESOUND),
    "fsd50k-slim": ({**FSD50K, "ontology.json": ONTOLOGY}, FREESOUND),
    "household": ({"sounds.csv": SOUNDS},
                  [*NOISES, *(f"voice/librispeech/{s}_1.wav" for s in STATES[:4])]),
    "kws12": ({"sounds.csv": SOUNDS}, [*POOL, *NOISES]),
    "speech-commands": ({}, [*WORDS, *(f"_background_noise_/{s}.wav" for s in STATES[:4])]),
    "speech-commands12": ({}, [*WORDS, *(f"_background_noise_/{s}.wav" for s in STATES[:4])]),
    "table": ({"list.csv": "file,label\n" + "".join(f"dog/{s}.wav,dog\n" for s in STATES)},
              [f"dog/{state}.wav" for state in STATES]),
    "urbansound8k": ({
        "metadata/UrbanSound8K.csv":
            "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
            + "".join(f"{s}.wav,{i},0,1,1,{i},3,dog\n" for i, s in enumerate(STATES, 1)),
    }, [f"audio/fold{i}/{state}.wav" for i, state in enumerate(STATES, 1)]),
    "voice": ({"sounds.csv": SOUNDS}, [*POOL, *NOISES]),
}  # fmt: skip


def test_no_layout_is_left_out() -> None:
    assert set(TREES) == set(LAYOUTS)


@pytest.fixture
def tree(request: pytest.FixtureRequest, tmp_path: Path, text: Callable[..., Path]) -> Path:
    """A folder in a layout; the table where the layout is one."""
    texts, sounds = TREES[request.param]
    for name, content in texts.items():
        text(name, content)
    for name in sounds:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if BROKEN in name:
            path.write_text("this is no sound")
        elif path.suffix in ARRAYS:
            np.save(path, np.zeros((0 if EMPTY in name else 4, 3), np.float32))
        elif GONE not in name:
            soundfile.write(path, np.full(0 if EMPTY in name else 4000, 0.1), 4000)
    return tmp_path / "list.csv" if request.param == "table" else tmp_path


@pytest.mark.parametrize(("layout", "tree"), [(x, x) for x in TREES], indirect=["tree"])
def test_what_cannot_be_read_is_listed(layout: str, tree: Path) -> None:
    sounds = TREES[layout][1]
    bad = {n for n in sounds if any(state in n for state in (GONE, BROKEN, EMPTY))}
    rows, lines = list_rows(layout, tree)
    assert {whole_of(r.file) for r in rows} == set(sounds) - bad
    said = dict(line.split(": ", 1) for line in lines)
    assert (set(said), len(lines)) == (bad, len(bad))
    for name, why in said.items():
        assert why == "missing" if GONE in name else why
        assert "\n" not in why
