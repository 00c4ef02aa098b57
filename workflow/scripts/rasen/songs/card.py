"""The card of a data set of songs: what is in it, what made it, and what is not known about it."""

from collections.abc import Mapping, Sequence

import pandas as pd

from rasen.songs.index import Filters
from rasen.songs.reasons import REASONS
from rasen.songs.structure.labels import FLAGS

UNSTATED = "not stated"
NO_LANGUAGE = "none (instrumental)"
MEASURES = {  # of a song: its name and unit in the card
    "seconds": "length (s)",
    "tempo": "tempo (beats per minute, estimated)",
    "loudness": "loudness (LUFS)",
    "match_ratio": "share of the lyrics' words that were found",
    "score": "mean score of the words (0 to 1)",
}


def write_card(
    songs: pd.DataFrame,
    quarantine: pd.DataFrame,
    sections: pd.DataFrame,
    filters: Filters,
    weights: Sequence[Mapping[str, str]],
) -> str:
    """The card as Markdown.

    songs, quarantine: of the index;  sections: DataFrame [song, flags ...] of seconds
    weights: {setting, weights, hash, licence} of every model
    """
    hours = songs["seconds"] / 3600
    language = songs["language"].replace("", NO_LANGUAGE)
    licence = songs["license"].replace("", UNSTATED)
    parts = [
        "# Data set card",
        f"{len(songs):,} songs by {songs['artist'].nunique():,} artists, {hours.sum():,.2f} hours. "
        f"{quarantine['song'].nunique():,} songs were rejected. The parts for training, validation "
        "and test have no artist in common.",
        "## Hours by language and split",
        _table(_with_total(hours.groupby([language, songs["split"]]).sum().unstack(fill_value=0))),
        "## Hours by licence of the recordings",
        "From the column `license` of the sheet; Rasen does not check it.",
        _table(hours.groupby(licence).sum().rename("hours").to_frame()),
        "## Sections",
        _table(_sections(songs, sections)),
        "## Lyrics",
        _table(_counts(songs, {"lyrics": "from", "way": "found by"})),
        "`lrc`: the times of the lyrics file; `recognised`: Whisper's words; `turns`: the turns of "
        "the voice. Lyrics from `asr` are what Whisper heard, errors included.",
        "## Songs in numbers",
        _table(_quantiles(songs)),
        "Most frequent keys (estimated): " + _most_frequent(songs["music_key"]) + ".",
        "## What was left out",
        f"Filters: words found at least {filters.match:g}, score at least {filters.score:g}, "
        f"silence at most {filters.silence:g}, clipped samples at most {filters.clipping:g}; "
        f"duplicates are {'rejected' if filters.duplicates else 'kept'}.",
        _table(_reasons(quarantine)),
        "## Weights that made it",
        _table(pd.DataFrame(weights).set_index("setting")),
        "## What is not known",
        "\n".join(f"- {line}" for line in _unknown(songs, licence)),
    ]
    return "\n\n".join(parts) + "\n"


def _table(frame):
    """A DataFrame with its index as Markdown; numbers with two decimals."""
    names = [name or "" for name in frame.index.names]
    rows = [[*names, *map(str, frame.columns)], ["---"] * len(names) + ["---:"] * frame.shape[1]]
    for key, values in zip(frame.index, frame.itertuples(index=False), strict=True):
        keys = key if isinstance(key, tuple) else (key,)
        rows.append([*map(str, keys), *map(_cell, values)])
    if len(rows) == 2:
        return "None."
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cell(value):
    text = f"{value:,.2f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _with_total(frame):
    order = [split for split in ("train", "valid", "test") if split in frame]
    frame = frame[order].astype(float)
    return pd.concat([frame, frame.sum().to_frame("all").T]).assign(all=lambda f: f.sum(axis=1))


def _sections(songs, sections):
    inside = sections[sections["song"].isin(songs["song"])]
    seconds = inside.reindex(columns=FLAGS).sum()
    share = seconds / max(seconds.sum(), 1e-9)
    return pd.DataFrame({"hours": seconds / 3600, "share": share}).rename_axis("flag")


def _counts(songs, names):
    grouped = songs.groupby(list(names), dropna=False)["seconds"].agg(["count", "sum"])
    table = pd.DataFrame({"songs": grouped["count"], "hours": grouped["sum"] / 3600})
    return table.rename_axis(list(names.values()))


def _quantiles(songs):
    rows = songs[list(MEASURES)].astype(float).quantile([0.05, 0.5, 0.95]).T
    rows.columns = ["5 %", "median", "95 %"]
    return rows.rename(MEASURES)


def _most_frequent(keys, count=5):
    found = keys[keys != ""].value_counts().head(count)
    return ", ".join(f"{key} ({number})" for key, number in found.items()) or "none"


def _reasons(quarantine):
    table = quarantine.groupby(["stage", "reason"]).size().rename("songs").to_frame()
    return table.assign(meaning=[REASONS[reason].meaning for _, reason in table.index])


def _unknown(songs, licence):
    """What a user of the data must not take for granted."""
    unstated = int((licence == UNSTATED).sum())
    transcribed = int((songs["lyrics"] == "asr").sum())
    alone = int((songs["artist"] == songs["song"]).sum())
    lines = [
        f"Licences: {unstated:,} of {len(songs):,} songs have none stated.",
        "Times, sections, tempo, key and, where the sheet had none, the language are estimates by "
        "the weights above; nobody listened. The shares above are of agreement, not of truth.",
        "Backing vocals are in the sound, not in the phonemes.",
        "Duplicates are found by their sound: other recordings of one song (covers, live) stay, "
        "and may stand in two splits when their artists differ.",
    ]
    if transcribed:
        lines.append(f"{transcribed:,} songs have Whisper's words as their lyrics.")
    if alone:
        lines.append(f"{alone:,} songs have no artist, so each counts as an artist of its own.")
    return lines
