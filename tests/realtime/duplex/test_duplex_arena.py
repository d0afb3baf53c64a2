"""Arrays side by side for the compiled worker."""

import numpy as np

from realtime.duplex.arena import ROOM, Arena


def test_arrays_are_what_they_were_and_side_by_side():
    rng = np.random.default_rng(0)
    arrays = [
        rng.normal(size=(3, 5)),
        rng.normal(size=7).astype(np.float32),
        np.arange(12, dtype=np.uint64).reshape(3, 4),
    ]
    arena = Arena()
    put = [arena.put(a) for a in arrays]
    for own, there in zip(arrays, put, strict=True):
        np.testing.assert_array_equal(own, there)
        assert (there.dtype, there.shape) == (own.dtype, own.shape)
        assert there.flags.c_contiguous
        assert there.flags.aligned
        assert there.flags.writeable
        assert there.ctypes.data % 64 == 0
        own[...] = 0
    places = [a.ctypes.data for a in put]
    assert places[2] - places[0] < 4096
    put[0][...] = -1
    np.testing.assert_array_equal(put[1], rng_again()[1])


def rng_again():
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 5)), rng.normal(size=7).astype(np.float32)


def test_what_finds_no_room_stays_where_it_is():
    arena, large = Arena(), np.zeros(ROOM // 8 + 1)
    assert arena.put(large) is large
    small = np.ones(4)
    assert arena.put(small) is not small
    nothing = np.zeros(0)
    assert arena.put(nothing) is nothing
