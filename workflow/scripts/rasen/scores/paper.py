"""The rows of SongBloom's paper, to print beside ours.

They are not comparable digit by digit: the paper names neither the recogniser of its PER, nor the
embedding and n of its FAD, nor the detector of its SER, nor the machine of its RTF.
"""

SOURCE = "Yang et al., SongBloom (NeurIPS 2025), objective results, read in a text of version 5"
COLUMNS = ("per", "mcc_audio", "fad", "ser_dtw", "ce", "cu", "pc", "pq", "rtf")
_TABLE = """
Suno-v4.5          24.67  .69 3.39 10.43 7.77 7.93 6.03 8.40 -
Udio-v1.5          20.04  .79 4.04 17.92 7.47 7.63 6.29 8.20 -
Haimian            10.03  .63 5.45 13.39 7.55 7.87 5.75 8.28 -
Mureka-O1           7.79  .86 3.39 31.37 7.69 7.84 6.41 8.45 -
ACE-Step           54.34  .62 8.02 12.27 7.37 7.52 6.26 7.85 -
YuE-7B             27.30  .62 5.99 13.93 7.25 7.59 5.96 8.03 13.724
DiffRhythm-full    15.77  .70 5.04 46.62 5.81 7.29 4.52 7.73 0.034
SongEditor         16.20  .77 4.85 18.06 7.44 7.80 6.06 8.27 1.717
SongBloom-full      6.75  .88 3.43 17.67 7.71 7.88 5.86 8.43 1.649
SongBloom-full-ft   5.49  .86 3.20 14.50 7.79 7.96 5.88 8.47 1.649
"""
SHARES = ("per", "ser_dtw")  # printed in per cent, kept as shares like our own


def _row(line):
    """(system, {metric: value}) of a line of the table; what it lacks is left out."""
    system, *cells = line.split()
    values = {m: float(c) for m, c in zip(COLUMNS, cells, strict=True) if c != "-"}
    return system, {m: round(v / 100, 6) if m in SHARES else v for m, v in values.items()}


PAPER: dict[str, dict[str, float]] = dict(map(_row, _TABLE.strip().splitlines()))
