"""Why a song falls out: each reason has a name, a meaning and a cure."""

from rasen.errors import RasenError

REASONS = {  # name: (what it means, what to do)
    "missing": ("the recording does not exist", "correct the path in the sheet"),
    "unreadable": ("the recording cannot be decoded, or only a part of it", "get it again"),
    "no_ffmpeg": ("the format needs ffmpeg, which is not installed", "install ffmpeg, or convert"),
    "silent": ("every sample is zero", "replace the recording"),
    "not_finite": ("holds samples that are not numbers", "replace the recording"),
    "too_short": ("shorter than `songs.shortest`", "lower it, or take the song out"),
    "too_long": ("longer than `songs.longest`", "raise it (memory grows with it), or cut the song"),
    "no_lyrics": ("no lyrics are given", "name a file in the column `lyrics`"),
    "lyrics_unreadable": ("the lyrics are missing or not UTF-8 text", "correct the file"),
    "no_vocals": ("nothing is sung: an instrumental, or the separation lost the voice", "drop it"),
    "wrong_language": ("sung in another language than the sheet says", "correct the sheet"),
    "lyrics_mismatch": ("what is sung is not what the lyrics say", "find the song's own lyrics"),
    "annotation": ("the file of sections is missing or wrong", "correct it, or name another"),
    "no_phonemes": (
        "nothing of the lyrics can be spoken, or the language has no phonemes (en, ja, zh have)",
        "correct the lyrics or the language",
    ),
    "duplicate": ("the same recording as another song's", "keep one of the two"),
    "low_match": ("too few lyric words were found (`songs.filters.match`)", "lower the filter"),
    "low_score": ("the words' scores are too low (`songs.filters.score`)", "lower the filter"),
    "silence": ("too much silence (`songs.filters.silence`)", "raise the filter"),
    "clipping": ("too many clipped samples (`songs.filters.clipping`)", "raise the filter"),
    "error": ("something unforeseen, told in the detail and in the log", "tell us"),
}


class SongError(RasenError):
    """One song falls out here; the others go on."""

    def __init__(self, reason, detail):
        assert reason in REASONS, reason
        super().__init__(detail)
        self.reason = reason
