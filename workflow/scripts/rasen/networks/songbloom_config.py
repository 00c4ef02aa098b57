"""The sizes of a SongBloom, and where its public code does something that nobody would guess.

preset("toy"), preset("paper_tiny"), preset("paper_full"), preset("public_150s"), ...
"""

from dataclasses import dataclass, replace

from rasen.errors import RasenError, raise_all, suggestion
from rasen.networks.frames import LATENT_CHANNELS, PATCH

TOLD = ("hidden", "previous", "sketch")
SMALLEST_HEAD = 32  # the DiT turns at least so many channels of a head by their position


@dataclass(frozen=True)
class SongBloomConfig:
    """One architecture; the values are those of the public model of 150 s.

    codes:          of the sketch; one more id is the end of the song, one more the padding
    vocabulary:     number of phoneme ids; 0 is the padding
    flags, stop, comma: ids of the structure flags, of the end of a sentence and of a section
    lyrics_rows, prompt_rows: length of both conditions, always filled up with zeros
    prompt_first:   [prompt][lyrics], as the public code joins them; its config says the reverse
    see_padding:    conditions' zero rows are attended to, as in the public code
    double_marks:   flags, `.` and `,` count twice, as content and as structure
    turned:         share of each head of the DiT that is turned by position (at least 32 channels)
    told:           what the DiT is told of a patch; zeros take the place of what is left out
    """

    codes: int = 16384
    vocabulary: int = 340
    flags: tuple[int, ...] = ()
    stop: int = -1
    comma: int = -1
    width: int = 1536
    heads: int = 24
    lm_layers: int = 36
    diff_layers: int = 12
    mlp: int = 4
    patch: int = PATCH
    latent: int = LATENT_CHANNELS
    lyrics_rows: int = 600
    prompt_rows: int = 250
    sentences: int = 50
    time_features: int = 256
    lm_rope: float = 20_000.0
    diff_rope: float = 20_000.0
    prompt_first: bool = True
    see_padding: bool = True
    double_marks: bool = True
    turned: float = 0.5
    told: tuple[str, ...] = TOLD

    @property
    def end(self) -> int:
        """The id of the song's end."""
        return self.codes

    @property
    def padding(self) -> int:
        """The id of sketch frames that are not there."""
        return self.codes + 1

    @property
    def rows(self) -> int:
        """Rows of both conditions."""
        return self.lyrics_rows + self.prompt_rows

    @property
    def head(self) -> int:
        """Channels of a head."""
        return self.width // self.heads

    def require_valid(self) -> None:
        """Refuse sizes with which the network would silently be another one."""
        problems = []
        if self.width % self.heads:
            problems.append(f"width {self.width} is not a multiple of {self.heads} heads")
        elif self.head < SMALLEST_HEAD:
            problems.append(
                f"heads are {self.head} wide; take at most {self.width // SMALLEST_HEAD} of them "
                f"at width {self.width}, so that each has {SMALLEST_HEAD}"
            )
        if self.width == self.latent:
            problems.append(
                f"width {self.width} equals the latents' channels: SongBloom leaves out its "
                "projections then; take another width"
            )
        problems += [f"told '{name}'; {suggestion(name, TOLD)}" for name in {*self.told} - {*TOLD}]
        least = {"codes": 2, "vocabulary": 1, "lm_layers": 1, "diff_layers": 1, "patch": 1}
        problems += [
            f"{name} {getattr(self, name)}: at least {number} wanted"
            for name, number in least.items()
            if getattr(self, name) < number
        ]
        marks = [*self.flags, *(mark for mark in (self.stop, self.comma) if mark >= 0)]
        if beyond := [mark for mark in marks if not 0 < mark < self.vocabulary]:
            problems.append(f"marks {beyond} lie outside the {self.vocabulary} ids")
        raise_all([f"SongBloom: {problem}" for problem in problems])


PUBLIC_150 = SongBloomConfig()
PRESETS = {
    # what two cores train in a minute
    "toy": SongBloomConfig(
        codes=256,
        width=128,
        heads=4,
        lm_layers=2,
        diff_layers=1,
        lyrics_rows=160,
        prompt_rows=50,
    ),
    # as many layers as the paper says; with the paper's "2B" they do not make 2 B parameters
    "paper_tiny": replace(PUBLIC_150, lm_layers=16, diff_layers=8),
    "paper_full": replace(PUBLIC_150, lm_layers=24, diff_layers=12),
    "public_150s": PUBLIC_150,
    "public_240s": replace(PUBLIC_150, lyrics_rows=1000, lm_rope=40_000.0),
}


def preset(name: str, **changes: object) -> SongBloomConfig:
    """A named architecture, with some of its fields changed."""
    if name not in PRESETS:
        raise RasenError(f"SongBloom preset '{name}'; {suggestion(name, [*PRESETS])}")
    return replace(PRESETS[name], **changes)  # type: ignore[arg-type]
