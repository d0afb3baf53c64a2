"""`Steps`: a small network with states as a list of plain operations on one array.

For live sound, a step every 10 ms. A runtime takes longer to find its way into a step of so
small a network than to compute it, above all where other programs fill the caches meanwhile.
Here a step is a table of whole numbers, which operation on which places of the array, and
`realtime.runners.program` goes through it; without numba that would be slow, and the runtime
serves.

Of a network with other operations than those of the shipped gates `steps_of` makes None.
Results differ from the runtime's in the last bits.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.runners.graph import read_graph
from realtime.runners.program import COPY
from realtime.runners.steps_maker import Place, StepsMaker


class Steps(msgspec.Struct, frozen=True):
    """A network.

    Args:
        program: int64 [operations, COLUMNS], for `program.run`.
        array: float32; the weights are in it, all else is zero.
        sound: the input in it,
        scores: and the scores.
        states: the states, side by side.
    """

    program: NDArray[np.int64]
    array: NDArray[np.float32]
    sound: Place
    scores: Place
    states: Place


def steps_of(data: bytes, card: Card, sound: str, scores: str) -> Steps | None:
    """Make a program of an ONNX file; None where it cannot be one.

    Args:
        data: the file.
        card: the model's, which names the states and says the shape of the input.
        sound: name of the input that is no state.
        scores: name of the scores.
    """
    try:
        graph = read_graph(data)
        maker = StepsMaker(graph.constants)
        spec = card.input.features
        if spec is None:
            return None
        states = [maker.name(s.name, s.shape) for s in card.states]
        heard = maker.name(sound, (1, 1, spec.width))
        for node in graph.nodes:
            maker.add(node)
        for state, spec_of in zip(states, card.states, strict=True):
            after = maker.place(spec_of.output)
            if after.size != state.size or after.at < heard.at:  # a state itself
                return None
            maker.emit(COPY, state.at, after.at, 0, 1, state.size, 0, 0)
        first = states[0].at if states else 0
        return Steps(
            *maker.finish(),
            sound=heard,
            scores=maker.place(scores),
            states=Place(first, (heard.at - first,)),
        )
    except (KeyError, IndexError, ValueError):  # Unknown too
        return None
