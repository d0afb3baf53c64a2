"""What examples must be to learn from, and what to record where they are not.

Used by `realtime.learn.lesson`. Every refusal names the side, says what is wrong and what to
record; the exit status is that of a bad input.
"""

from __future__ import annotations

from realtime.errors import AudioError
from realtime.learn.examples import WANTED, Side

LEAST_S = 3.0  # seconds with sound that a side needs
LEAST_MORE_S = 0.5  # likewise where a gate learns more
CLIPPED_MOST = 0.3  # share of the hops with sound that may be clipped
CLIPPED_SAID = 0.03  # from here on it is said
APART_LEAST = 0.7  # chance that a hop of the one side scores over one of the other; 0.5 is none


def demand_enough(side: Side, least_s: float = LEAST_S) -> None:
    """Refuse a side with too little sound.

    Raises:
        AudioError: so.
    """
    if side.active_s >= least_s:
        return
    files = "1 file" if len(side.clips) == 1 else f"{len(side.clips)} files"
    raise AudioError(
        f"--{side.name}: {side.active_s:.1f} s of sound in {files}, "
        f"and {least_s:g} s is the least",
        f"record {WANTED[side.name]}",
    )


def demand_unclipped(side: Side) -> str:
    """Refuse a side that is mostly clipped; what to say of one that is a little.

    Raises:
        AudioError: so.
    """
    share = sum(c.clipped * c.active_s for c in side.clips) / max(side.active_s, 1e-9)
    if share > CLIPPED_MOST:
        raise AudioError(
            f"--{side.name}: {100 * share:.0f} % of the sound is clipped",
            "turn the input down until its loudest sounds stay under full scale, record again",
        )
    if share > CLIPPED_SAID:
        return (
            f"--{side.name}: {100 * share:.0f} % of the sound is clipped; a lower input level "
            "would teach it better"
        )
    return ""


def demand_different(opens: Side, closeds: Side) -> None:
    """Refuse a recording that is on both of two sides.

    Raises:
        AudioError: so.
    """
    by_digest = {c.digest: c.name for c in opens.clips}
    both = [(by_digest[c.digest], c.name) for c in closeds.clips if c.digest in by_digest]
    if not both:
        return
    a, b = both[0]
    which = a if a == b else f"{a} = {b}"
    more = f" and {len(both) - 1} more" if len(both) > 1 else ""
    raise AudioError(
        f"the same recording is given as --{opens.name} and as --{closeds.name}: {which}{more}",
        "leave it out of one of them; a recording with both sounds in it teaches nothing",
    )


def demand_apart(apart: float) -> None:
    """Refuse sides that cannot be told apart.

    Args:
        apart: chance that a hop of held-back open sound scores over one of closed sound.

    Raises:
        AudioError: so.
    """
    if apart >= APART_LEAST:
        return
    raise AudioError(
        "what shall open the gate and what shall not sound alike to it: of two held-back "
        f"moments it picks the right one {100 * apart:.0f} times in 100, and guessing is 50; "
        "nothing is saved",
        "see that neither side has the other's sound in it, and record a minute of each, close "
        "to the microphone",
    )
