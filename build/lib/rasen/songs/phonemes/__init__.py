"""Lyrics as phonemes under structure flags: what a lyrics-to-song model is conditioned on.

inventory   the symbols and their ids, or a vocabulary of the user's
line        one line, by script: chinese, english, japanese
"""

from collections import Counter

from rasen.songs.phonemes import english, inventory, line
from rasen.songs.phonemes.inventory import COMMA, PAD, STOP, token_of
from rasen.songs.reasons import SongError
from rasen.songs.structure.labels import SUNG

LANGUAGES = ("zh", "en", "ja")


def speak(alignment, structure, symbols=None, settings=None):
    """The phonemes of a song: a dict, section by section.

    alignment: by `songs.align`; structure: a DataFrame by `structure.tag`; symbols: by `inventory`;
    settings: {"dictionary": a file in CMUdict's format}. A kept line belongs to the section that
    holds its middle. Beside the sections stand `marks` (ids of flags and stops, for `sequence`),
    `unknown` (tokens that the inventory lacks and that are left out, with their number) and
    `english` (how many words came from a dictionary, how many were predicted).
    """
    symbols = symbols or inventory.built_in()
    language = alignment["language"]
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise SongError("no_phonemes", f"language '{language}' has no phonemes; known: {known}")
    dictionary = english.read_dictionary((settings or {}).get("dictionary"))
    unknown, origins = Counter(), Counter()
    sections = [{"flag": row.label, "start": row.start, "end": row.end, "lines": []}
                for row in structure.itertuples()]  # fmt: skip
    for each in alignment["lines"]:
        if not each["kept"] or not each["words"]:
            continue
        spoken, found = line.tokens([word["word"] for word in each["words"]], each["text"],
                                    language, dictionary)  # fmt: skip
        origins.update(found)
        words = [_word(*pair, symbols, unknown) for pair in zip(each["words"], spoken, strict=True)]
        words = [word for word in words if word["tokens"] not in ([], [COMMA])]
        if words:
            kept = {key: each[key] for key in ("line", "start", "end", "text")}
            _section_of(each, sections)["lines"].append(kept | {"words": words})
    if not any(section["lines"] for section in sections):
        raise SongError("no_phonemes", f"no kept line can be spoken in '{language}'")
    return {
        "song": alignment["song"],
        "language": language,
        "inventory": symbols.name,
        "marks": {mark: symbols.ids[mark] for mark in inventory.MARKS},
        "unknown": dict(unknown),
        "english": dict(origins),
        "sections": sections,
    }


def _word(word, tokens, symbols, unknown):
    known = [token for token in tokens if token in symbols.ids and token != PAD]
    unknown.update(token for token in tokens if token not in symbols.ids)
    return {
        "start": word["start"],
        "end": word["end"],
        "tokens": known,
        "ids": [symbols.ids[token] for token in known],
    }


def _section_of(each, sections):
    middle = (each["start"] + each["end"]) / 2
    return next((s for s in sections if s["start"] <= middle < s["end"]), sections[-1])


def sequence(phonemes, start, end, seconds_per_flag=1.0):
    """(tokens, ids) of the window from `start` to `end` seconds, as SongBloom reads lyrics.

    A flag before each section that the window touches; those of sections that are not sung once
    for every `seconds_per_flag` inside the window. Then the words whose middle lies inside, and a
    full stop after each line of which the last word does.
    """
    tokens, ids, marks = [], [], phonemes["marks"]

    def add(mark, count=1):
        tokens.extend([mark] * count)
        ids.extend([marks[mark]] * count)

    for section in phonemes["sections"]:
        inside = min(end, section["end"]) - max(start, section["start"])
        if inside <= 0:
            continue
        sung = section["flag"] in SUNG
        add(token_of(section["flag"]), 1 if sung else max(1, round(inside / seconds_per_flag)))
        for each in section["lines"]:
            for word in each["words"]:
                if in_window := start <= (word["start"] + word["end"]) / 2 < end:
                    tokens += word["tokens"]
                    ids += word["ids"]
            if in_window:
                add(STOP)
    return tokens, ids
