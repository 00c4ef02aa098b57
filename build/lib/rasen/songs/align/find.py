"""Each line of the lyrics: found among the heard words, aligned in its window, judged."""

import numpy as np

from rasen.songs.align import windows
from rasen.songs.align.aligner import Word
from rasen.songs.align.match import match
from rasen.songs.align.recover import missing
from rasen.songs.lyrics import normalise, words

WIDER = (0.0, 0.027, 0.053)  # seconds: windows a third of a frame (20 ms) apart, and some more

AS_WELL = 0.97  # share of a line's score below which a change was for the worse
SHORTEST = 1.0  # seconds in which a line can be sung
USUAL = 0.7  # share of the song's median score from which words are believed,
UNHEARD = 0.85  # and from which a line is that Whisper did not hear


def find_lines(lines, heard, turns, language, align, seconds, settings):
    """For each line a dict: kept, reason, match, words (word, start, end, score, source).

    heard: `Word`s in order of time; turns: (start, end) of each stretch with a voice;
    align(words, {start, end}) gives the times of words in a window; seconds: length of the song.
    """
    texts = [words(line.text, language) for line in lines]
    places, ratios = _places(lines, heard, language, settings["line_match"])
    extra = missing(places, heard)
    taken = np.zeros(len(heard), dtype=bool)
    for place, more in zip(places, extra, strict=True):
        taken[[*place[place >= 0], *_flat(more)]] = True

    def timed(i, span, more):
        return _align_line(align, texts[i], more, heard, span)

    shift = _stamp_shift(lines, places, heard)
    found = []
    for i, (place, more) in enumerate(zip(places, extra, strict=True)):
        if not texts[i]:
            row = _dropped("no_words")
        elif (place >= 0).any():
            mine = _flat(more)
            span = windows.window(place, mine, taken, heard, turns, seconds)
            best = timed(i, span, more)
            for stamped in windows.by_stamp(lines[i], shift, span):
                best = _if_as_well(timed(i, stamped, more), best)
            row = _judged(best, settings["line_score"])
        else:
            row = _dropped(_why_not(i, places, heard))
        found.append(row | {"match": ratios[i]})
    # How high scores are depends on the model and on the voice, so lines are compared with the
    # song's usual one. Words that Whisper made up from a neighbouring line fail here.
    usual = np.median([mean_score(row["words"]) for row in found if row["kept"]] or [1.0])
    for row in found:
        if row["kept"]:
            row.update(_judged(row["words"], USUAL * usual))
    # Lines that Whisper may have missed: only a time stamp and the score speak for these, so
    # they must be aligned about as well as the others.
    others = [word for word, mine in zip(heard, taken, strict=True) if not mine]
    others += [Word(w["word"], w["start"], w["end"], 1) for row in found for w in row["words"]]
    for i, (line, row) in enumerate(zip(lines, found, strict=True)):
        if row["reason"] == "not_sung" and shift is not None and line.start is not None:
            span = windows.stamped_window(line, len(texts[i]), shift, others, seconds)
            if span is not None:
                row.update(_judged(timed(i, span, {}), UNHEARD * usual, "not_sung"))
    # So may a single line between two that were found, where there is a voice that no word claims.
    for i, row in enumerate(found):
        if row["reason"] == "not_sung" and (gap := _gap(i, found, seconds)):
            span = windows.voiced_gap(*gap, turns, len(texts[i]))
            if span is not None:
                row.update(_judged(timed(i, span, {}), UNHEARD * usual, "not_sung"))
    return found


def _gap(i, found, seconds):
    """(end, start) of the kept lines around line `i`; None where other lines are missing too."""
    before, after = found[:i], found[i + 1 :]
    if any(not row["kept"] for row in (*before[-1:], *after[:1])):
        return None
    end = before[-1]["words"][-1]["end"] if before else 0.0
    return end, after[0]["words"][0]["start"] if after else seconds


def believed(parts):
    """The words of the chunks (`parts`: lists of `Word`) whose scores are not far below the usual:
    in noise Whisper makes words up."""
    scores = [word.score for part in parts for word in part]
    lowest = USUAL * np.median(scores or [0.0])
    return [w for part in parts if part and _mean(part) >= lowest for w in part]


def _mean(part):
    return np.mean([word.score for word in part])


def unheard(lines, heard, language, seconds, settings):
    """Chunks (dicts with start, end) to listen to again: there a line may be sung that was not
    heard, since voice detection loses some."""
    places, _ = _places(lines, heard, language, settings["line_match"])
    spans = set()
    for i, place in enumerate(places):
        if len(place) and (place < 0).all() and _why_not(i, places, heard) == "not_sung":
            left, right = _between(i, places, heard)
            start = heard[left].end if left >= 0 else 0.0
            end = heard[right].start if right < len(heard) else seconds
            spans.add((start, end))
    chunk = settings["chunk"]
    return [
        {"start": at, "end": min(at + chunk, end)}
        for start, end in sorted(spans)
        for at in np.arange(start, end - SHORTEST, chunk)
    ]


def _places(lines, heard, language, line_match):
    """For each line, the heard words in the places of its words (all -1 where the line is not
    found), and the share of its words that were heard."""
    units = [normalise(line.text, language) for line in lines]
    matched = match(units, [normalise(word.text, language)[0] for word in heard])
    places, ratios = [], []
    for place, same in zip(matched.places, matched.same, strict=True):
        place = windows.settle(place, heard)
        ratio = float((same & (place >= 0)).mean()) if len(place) else 0.0
        places.append(place if ratio >= line_match else np.full(len(place), -1))
        ratios.append(ratio)
    return places, ratios


def _flat(more):
    return [index for indices in more.values() for index in indices]


def _stamp_shift(lines, places, heard):
    """See `windows.stamp_shift`: of the lines whose first word was heard."""
    both = [
        (heard[place[0]].start, line.start)
        for line, place in zip(lines, places, strict=True)
        if line.start is not None and len(place) and place[0] >= 0
    ]
    return windows.stamp_shift([start for start, _ in both], [stamp for _, stamp in both])


def _align_line(align, text, extra, heard, span):
    """The words of a line, aligned in its window. Recovered words stay when the line is aligned
    about as well with them."""
    given = [(word, "lyrics") for word in text]
    best = _timed(given, align, span)
    if extra:
        more = []
        for place in range(len(text) + 1):
            more += [(heard[index].text, "recovered") for index in extra.get(place, [])]
            more += given[place : place + 1]
        best = _if_as_well(_timed(more, align, span), best)
    return best


def _if_as_well(better, plain):
    """What is better when it is right, unless its score tells that it is wrong."""
    return better if mean_score(better) >= AS_WELL * mean_score(plain) else plain


def _timed(given, align, span):
    """Words with their times: medians over slightly different windows. One window alone is off
    by up to half a frame of the aligner, and now and then by much more."""
    text = [word for word, _ in given]
    start, end = span
    runs = [
        run for wider in WIDER if (run := align(text, {"start": start - wider, "end": end + wider}))
    ]
    if not runs:
        return []
    numbers = [[(word.start, word.end, word.score) for word in run] for run in runs]
    middle = np.median(numbers, axis=0).round(3).tolist()
    return [
        {"word": word, "start": start, "end": end, "score": score, "source": source}
        for (word, source), (start, end, score) in zip(given, middle, strict=True)
    ]


def mean_score(timed):
    return float(np.mean([word["score"] for word in timed])) if timed else 0.0


def _judged(timed, lowest, reason="low_score"):
    """A line that is kept when it could be aligned, with a mean score from `lowest`."""
    if not timed:
        return _dropped("no_window")
    if mean_score(timed) < lowest:
        return _dropped(reason)
    return {"kept": True, "reason": None, "words": timed}


def _dropped(reason):
    return {"kept": False, "reason": reason, "words": []}


def _why_not(i, places, heard):
    """`mismatch` where other words were heard in the place of line `i`, else `not_sung`."""
    left, right = _between(i, places, heard)
    return "mismatch" if right - left - 1 >= max(1, len(places[i]) / 2) else "not_sung"


def _between(i, places, heard):
    """The heard words that belong to the nearest lines before and after line `i`."""
    before = [place.max() for place in places[:i] if (place >= 0).any()]
    after = [place[place >= 0].min() for place in places[i + 1 :] if (place >= 0).any()]
    return max(before, default=-1), min(after, default=len(heard))
