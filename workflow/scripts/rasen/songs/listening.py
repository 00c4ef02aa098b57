"""A blind sheet for listeners, and their ratings read back.

A clip's name is a hash of the seed, the system and the song: it tells nothing, and stays the same
when systems are added, so that sheets which were filled in before remain readable.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rasen.errors import RasenError
from rasen.io.hashes import short_hash
from rasen.io.sheets import read_sheet
from rasen.seeds import generator
from rasen.songs.scored import LEFT_OUT

COLUMNS = ("clip", "audio", "rating", "rater")
LEAST, MOST = 1, 5  # of a rating


def blind_clips(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """rows [system, name, audio] in a random order, with `clip`, a name that tells nothing."""
    clips = [
        "clip-" + short_hash(f"{seed}\x1f{row.system}\x1f{row.name}")[:8]
        for row in rows.itertuples(index=False)
    ]
    if len(set(clips)) < len(clips):
        raise RasenError("two clips have one name by chance; change `seed` in the config")
    order = generator(seed, "listening").permutation(len(rows))
    return rows.assign(clip=clips).iloc[order].reset_index(drop=True)


def read_ratings(
    sheets: Sequence[Path | str], key: Path | str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(ratings [system, song, rater, rating], rows that are left out with LEFT_OUT) of sheets.

    key: the table [clip, system, song]. Without a column `rater`, or where it is empty, a sheet is
    one rater's where there are several sheets, and nobody's where there is one.
    """
    of_clip = {row.clip: (row.system, row.song)
               for row in read_sheet(key, numbers=False).itertuples()}  # fmt: skip
    ratings, out = [], []
    for path in sheets:
        table = read_sheet(path, numbers=False)
        if lacking := [column for column in ("clip", "rating") if column not in table]:
            raise RasenError(f"{path}: has no column {', '.join(lacking)}; fill in the sheet's own")
        anonymous = Path(path).stem if len(sheets) > 1 else ""
        seen: set[tuple[str, str]] = set()
        for number, row in enumerate(table.to_dict("records"), start=2):
            clip, text = row["clip"].strip(), row["rating"].strip()
            rater = row.get("rater", "").strip() or anonymous
            system, song = of_clip.get(clip, ("", ""))
            if not text:
                continue  # not heard
            problem = ""
            if not system:
                problem = f"no clip '{clip}' was given out"
            elif (rating := _number(text)) is None or not LEAST <= rating <= MOST:
                problem = f"'{text}' is no rating from {LEAST} to {MOST}"
            elif rater and (clip, rater) in seen:
                problem = f"clip '{clip}' is rated twice by '{rater}'"
            seen.add((clip, rater))
            if problem:
                detail = f"{path}, line {number}: {problem}"
                out.append((system, song, "mos", "rating", detail))
            else:
                ratings.append((system, song, rater, rating))
    columns = ["system", "song", "rater", "rating"]
    return pd.DataFrame(ratings, columns=columns), pd.DataFrame(out, columns=list(LEFT_OUT))


def _number(text):
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
