"""What became of each line, as alignment.json has it."""

from collections.abc import Sequence

import numpy as np

from rasen.songs.align.find import FoundLine, mean_score
from rasen.songs.alignment import AlignedLine, Alignment
from rasen.songs.lyrics import Line, split_words

OVERLAP = 0.05  # seconds that two lines have in common before they overlap


def as_alignment(
    outcomes: Sequence[FoundLine],
    lines: Sequence[Line],
    language: str,
    seconds: float,
    song: str,
    way: str,
) -> Alignment:
    """The alignment of a song, as it is written.

    way: in which the lines were found
    """
    aligned: list[AlignedLine] = []
    total, hits, scores = 0, 0.0, []
    for number, (line, result) in enumerate(zip(lines, outcomes, strict=True)):
        words = result.words
        aligned.append(
            {
                "line": number,
                "text": line.text,
                "paragraph": line.paragraph,
                "section": line.section,
                "backing": line.backing,
                "overlaps": False,
                "kept": result.kept,
                "reason": result.reason,
                "start": words[0]["start"] if words else None,
                "end": words[-1]["end"] if words else None,
                "score": round(mean_score(words), 3) if words else None,
                "match": round(result.match, 3) if words else None,
                "surprise": None if result.surprise is None else round(result.surprise, 1),
                "words": words,
            }
        )
        if line.backing:
            continue
        length = len(split_words(line.text, language))
        total += length
        # A kept line without a transcribed word was found by aligning it to the sound itself.
        hits += (result.match or 1.0) * length if result.kept else 0.0
        scores += [word["score"] for word in words]
    _mark_overlaps(aligned)
    lead = [line["surprise"] or 0.0 for line in aligned if not line["backing"]]
    return {
        "song": song,
        "language": language,
        "lyrics": "given",
        "way": way,
        "surprise": None if way == "recognised" else round(float(np.median(lead or [0.0])), 1),
        "seconds": round(seconds, 3),
        "match_ratio": round(hits / max(1, total), 3),
        "score": round(float(np.mean(scores)), 3) if scores else 0.0,
        "lines": aligned,
    }


def _mark_overlaps(lines: Sequence[AlignedLine]) -> None:
    """Mark the kept lines that are sung while another one is."""
    kept = [line for line in lines if line["kept"]]
    kept.sort(key=lambda line: line["words"][0]["start"])
    latest: AlignedLine | None = None  # the one of the lines so far that ends last
    for line in kept:
        start, end = line["words"][0]["start"], line["words"][-1]["end"]
        if latest is not None and latest["words"][-1]["end"] - start > OVERLAP:
            latest["overlaps"] = line["overlaps"] = True
        if latest is None or end > latest["words"][-1]["end"]:
            latest = line
