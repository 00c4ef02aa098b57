"""Why a song is rejected: each reason has a name, a meaning and a cure."""

from typing import NamedTuple

from rasen.errors import RasenError


class Reason(NamedTuple):
    """What a reason means, and what the user can do."""

    meaning: str
    cure: str


REASONS = {
    "missing": Reason("the recording does not exist", "correct the path in the sheet"),
    "unreadable": Reason("the recording cannot be decoded, or only a part of it", "get it again"),
    "no_ffmpeg": Reason(
        "the format needs ffmpeg, which is not installed", "install ffmpeg, or convert"
    ),
    "silent": Reason("every sample is zero", "replace the recording"),
    "not_finite": Reason("holds samples that are not numbers", "replace the recording"),
    "too_short": Reason("shorter than `songs.shortest`", "lower it, or take the song out"),
    "too_long": Reason(
        "longer than `songs.longest`", "raise it (memory grows with it), or cut the song"
    ),
    "stems": Reason(
        "the given vocals or accompaniment cannot be read, or are not as long as the mix",
        "correct the columns `vocals` and `accompaniment`",
    ),
    "no_lyrics": Reason("no lyrics are given", "name a file in the column `lyrics`"),
    "lyrics_unreadable": Reason("the lyrics are missing or not UTF-8 text", "correct the file"),
    "no_vocals": Reason(
        "no singing was found: an instrumental, or the separation lost the voice", "remove it"
    ),
    "wrong_language": Reason("sung in another language than the sheet says", "correct the sheet"),
    "lyrics_mismatch": Reason(
        "the words that are sung are not those of the lyrics", "find the song's own lyrics"
    ),
    "annotation": Reason("the file of sections is missing or wrong", "correct it, or name another"),
    "no_phonemes": Reason(
        "nothing of the lyrics can be spoken, or the language has no phonemes (en, ja, zh have)",
        "correct the lyrics or the language",
    ),
    "duplicate": Reason("the same recording as another song's", "keep one of the two"),
    "low_match": Reason(
        "too few lyric words were found (`songs.filters.match`)", "lower the filter"
    ),
    "low_score": Reason(
        "the words' scores are too low (`songs.filters.score`)", "lower the filter"
    ),
    "silence": Reason("too much silence (`songs.filters.silence`)", "raise the filter"),
    "clipping": Reason("too many clipped samples (`songs.filters.clipping`)", "raise the filter"),
    "error": Reason("an unexpected error; the detail and the log have it", "report it"),
}


class SongError(RasenError):
    """One song is rejected; the others go on. `reason` is a key of REASONS."""

    def __init__(self, reason: str, detail: str) -> None:
        assert reason in REASONS, reason
        super().__init__(detail)
        self.reason = reason
