"""PortAudio's callbacks, compiled: no interpreter, and no lock of it, between driver and gate.

`callback` gives C functions for `sound.py` to open streams with. Needs numba (extra `numba`);
without it the callbacks are Python, on `path.py`.

numba keeps what it compiled beside this file, or in the user's cache folder. It would not
notice that a function in another file, compiled along, has changed: so a digest of them all is
a constant of each callback, and by that a part of its key in the cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from realtime.duplex import biquads, flow, joint, kernels, openers, ramping
from realtime.duplex import layout as at

MODULES = (at, ramping, biquads, joint, flow, openers, kernels)
LOST_INPUT = 1 | 2  # PortAudio's flags: underflow and overflow of the input,
MONOTONIC = time.CLOCK_MONOTONIC
LOST_OUTPUT = 4  # underflow of the output


def available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


@cache
def callback(name: str) -> int:
    """The address of a C function of PortAudio's type; its user data is the memory.

    Compiling one takes some ten seconds, taking it out of the cache one.

    Args:
        name: "duplex" for a stream that records and plays, "hear" for one that records and
            feeds the joint, "give" for one that plays from it, "key" for one that records what
            decides.
    """
    import numba
    from numba import types

    register()
    samples = types.CPointer(types.float32)
    status, memory = types.uint64, types.CPointer(types.float64)
    signature = types.int32(samples, samples, types.uint64, types.voidptr, status, memory)
    function = _functions(_digest())[name]
    try:
        built = numba.cfunc(signature, cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder to cache in
        built = numba.cfunc(signature, error_model="numpy")(function)
    _kept.append(built)
    return int(built.address or 0)


_kept: list[Any] = []  # the code is there for as long as these are
# numba's, for the callbacks. Not variables of theirs: those are a part of the key in the cache,
# and these look different in every run.
carray: Any = None
write: Any = None
clock_gettime: Any = None


@lru_cache(maxsize=1)
def register() -> None:
    """Let compiled code call what is written in the modules of the sound path."""
    global carray, clock_gettime, write
    import numba
    from numba import types
    from numba.extending import intrinsic, overload, register_jitable

    carray = numba.carray  # type: ignore[attr-defined]
    # eventfd's write never waits: its counter only grows
    kind: Any = types.intp
    write = types.ExternalFunction("write", kind(types.int32, types.voidptr, types.uintp))
    instant = types.int32(types.int32, types.voidptr)
    clock_gettime = types.ExternalFunction("clock_gettime", instant)
    for module in MODULES[1:]:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and name != "make_table":
                register_jitable(function)

    def write_fence(_typing: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, _args: Any) -> Any:
            builder.fence("seq_cst")
            return context.get_dummy_value()

        return types.void(), generate

    order: Any = intrinsic(write_fence)

    def compiled_fence() -> Callable[[], None]:
        return lambda: order()

    overload(at.fence)(compiled_fence)


def _digest() -> int:
    sources = "".join(inspect.getsource(module) for module in MODULES)
    return int(hashlib.sha256(sources.encode()).hexdigest()[:15], 16) + 1


def _functions(digest: int) -> dict[str, Callable[..., int]]:
    """The callbacks, as Python that numba can compile."""
    block = at.WORDS if digest else 0

    def duplex(x: Any, y: Any, frames: Any, _times: Any, status: Any, memory: Any) -> int:
        words = carray(memory, (block,))
        ints = words.view(np.int64)
        inputs = carray(x, (int(frames) * ints[at.WIDTH],))
        outputs = carray(y, (int(frames) * ints[at.OUTPUTS],))
        if ints[at.KEY_KIND] == at.APART and not ints[at.STILL]:
            clock_gettime(MONOTONIC, ints[at.NOW :].ctypes)
        kernels.play(ints, words, words.view(np.float32), inputs, outputs)
        if kernels.due(ints):
            write(ints[at.WAKE], ints[at.ONE :].ctypes, 8)
        ints[at.OVERFLOWS] += 1 if status & LOST_INPUT else 0
        ints[at.UNDERFLOWS] += 1 if status & LOST_OUTPUT else 0
        return 0

    def hear(x: Any, _y: Any, frames: Any, _times: Any, status: Any, memory: Any) -> int:
        words = carray(memory, (block,))
        ints = words.view(np.int64)
        inputs = carray(x, (int(frames) * ints[at.WIDTH],))
        if not ints[at.STILL]:
            clock_gettime(MONOTONIC, ints[at.NOW :].ctypes)
        now = ints[at.NOW] + 1e-9 * ints[at.NOW + 1]
        kernels.take(ints, words, words.view(np.float32), inputs, now)
        if kernels.due(ints):
            write(ints[at.WAKE], ints[at.ONE :].ctypes, 8)
        ints[at.OVERFLOWS] += 1 if status & LOST_INPUT else 0
        return 0

    def give(_x: Any, y: Any, frames: Any, _times: Any, status: Any, memory: Any) -> int:
        words = carray(memory, (block,))
        ints = words.view(np.int64)
        outputs = carray(y, (int(frames) * ints[at.OUTPUTS],))
        if not ints[at.STILL]:
            clock_gettime(MONOTONIC, ints[at.NOW + 2 :].ctypes)
        now = ints[at.NOW + 2] + 1e-9 * ints[at.NOW + 3]
        joint.pull(ints, words, words.view(np.float32), outputs, now)
        ints[at.UNDERFLOWS] += 1 if status & LOST_OUTPUT else 0
        return 0

    return {"duplex": duplex, "hear": hear, "give": give, "key": _key_function(block)}


def _key_function(block: int) -> Callable[..., int]:
    """The callback of a key's device: its joint is in the second part of the memory."""

    def key(x: Any, _y: Any, frames: Any, _times: Any, status: Any, memory: Any) -> int:
        whole = carray(memory, (block,))
        words = whole[at.OTHER :]
        ints = words.view(np.int64)
        inputs = carray(x, (int(frames) * ints[at.WIDTH],))
        if not ints[at.STILL]:
            clock_gettime(MONOTONIC, ints[at.NOW :].ctypes)
        now = ints[at.NOW] + 1e-9 * ints[at.NOW + 1]
        joint.push(ints, words, words.view(np.float32), inputs, now)
        ints[at.OVERFLOWS] += 1 if status & LOST_INPUT else 0
        return 0

    return key
