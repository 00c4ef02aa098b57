"""The six flags of sections, and other names for them."""

import re
from typing import NamedTuple

FLAGS = ("verse", "chorus", "bridge", "intro", "inst", "outro")
SUNG = ("verse", "chorus", "bridge")
NAMES = {
    "verse": "verse vers strophe prechorus build couplet rap",
    "chorus": "chorus refrain hook drop postchorus",
    "bridge": "bridge middle8 middleeight",
    "intro": "intro introduction start opening prelude fadein",
    "inst": "inst instrumental instrument interlude solo break breakdown guitarsolo pianosolo",
    "outro": "outro end ending coda fadeout",
}
FLAG_OF = {name: flag for flag, names in NAMES.items() for name in names.split()}
SILENCE = "silence"  # a gap, filled like any other


class Section(NamedTuple):
    """A section, in seconds. flag: one of FLAGS, or SILENCE;  confidence: 0 to 1."""

    start: float
    end: float
    flag: str
    confidence: float


def flag_of_label(label: str) -> str | None:
    """The flag of a label such as "Pre-Chorus 2", SILENCE, or None for an unknown one."""
    name = re.sub(r"[\W_]+", "", label.lower())
    for known in (name, re.sub(r"\d+[a-z]?$", "", name)):  # "verse1a" is a verse
        if known in FLAG_OF or known == SILENCE:
            return FLAG_OF.get(known, SILENCE)
    return None
