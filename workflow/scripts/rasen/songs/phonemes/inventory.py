"""The symbols of lyrics, and their ids.

Built in: padding, structure flags, punctuation, Chinese onsets and finals with tones, Japanese
phonemes, English ARPAbet with stress. A vocabulary of the user's replaces them, for the ids of a
model that was trained elsewhere.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from rasen.errors import RasenError, raise_all
from rasen.songs.structure.labels import FLAGS

PAD = ""  # id 0; never written as lyrics
STOP, COMMA = ".", ","
PUNCTUATION = [STOP, COMMA, "!", "?", "…", "-"]
# Chinese: an onset and a final. AA, EE and OO begin syllables that have no consonant.
ONSETS = ["AA", "EE", "OO", *"bpmfdtnlgkhjqxrzcsyw", "zh", "ch", "sh"]
# i0 after z c s, ir after zh ch sh r, v is ü; E and En are e and an after y.
FINAL_NAMES = """
    a o e i u v i0 ir er ai ei ao ou an en ang eng ong ia ie iao iu ian in iang ing iong
    ua uo uai ui uan un uang ve van vn E En
"""
FINALS = FINAL_NAMES.split()
TONES = "12345"  # 5 is the neutral one
# Japanese: N is the moraic nasal, cl a doubled consonant, I and U vowels without voice.
JAPANESE_PHONEMES = """
    a i u e o I U N cl k ky kw g gy gw s sh z j t ty ts ch d dy n ny h hy f fy b by p py m my
    r ry w y v
"""
JAPANESE = JAPANESE_PHONEMES.split()
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW"
STRESS = "012"
ENGLISH_CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"
ENGLISH = [v + s for v in VOWELS.split() for s in STRESS] + ENGLISH_CONSONANTS.split()


class Inventory(NamedTuple):
    """A set of tokens with their ids."""

    name: str
    ids: Mapping[str, int]


def token_of_flag(flag: str) -> str:
    """The token of a flag: verse is [verse]."""
    return f"[{flag}]"


MARKS = [*map(token_of_flag, FLAGS), STOP, COMMA]  # which every vocabulary must have


def built_in_inventory() -> Inventory:
    """Our own inventory. A symbol that two languages share (b, N, ...) has one id."""
    chinese = ONSETS + [final + tone for final in FINALS for tone in TONES]
    flags = [token_of_flag(flag) for flag in FLAGS]
    tokens = dict.fromkeys([PAD, *flags, *PUNCTUATION, *chinese, *JAPANESE, *ENGLISH])
    return Inventory("rasen-1", {token: i for i, token in enumerate(tokens)})


def read_vocabulary(path: Path | str) -> Inventory:
    """A vocabulary file, YAML or JSON: a list of tokens, or token: id (both also below `vocab`)."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        content = (json.loads if path.suffix == ".json" else yaml.safe_load)(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RasenError(f"{path}: cannot be read as a vocabulary ({error})") from None
    if isinstance(content, dict) and isinstance(content.get("vocab"), (list, dict)):
        content = content["vocab"]
    if isinstance(content, list):
        content = {str(token): i for i, token in enumerate(content)}
    if not isinstance(content, dict) or not content:
        raise RasenError(f"{path}: holds neither a list of tokens nor tokens with their ids")
    problems = [
        f"{path}: the id of '{token}' is {number!r}; write a whole number"
        for token, number in content.items()
        if type(number) is not int or number < 0
    ]
    if lacking := [mark for mark in MARKS if mark not in content]:
        problems.append(f"{path}: lacks {' '.join(lacking)}; add them")
    raise_all(problems)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Inventory(f"{path.stem}-{digest}", {str(token): i for token, i in content.items()})
