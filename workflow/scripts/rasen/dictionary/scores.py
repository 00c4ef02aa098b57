"""Scores of songs of any system."""
# ruff: noqa: E501 (one line a column)

from rasen.dictionary.table import table

METRICS = """
Songs of any system, scored (`snakemake scores`): per metric one row per song, and one per system (`song` empty).
`tables/scores.md` is the same per system, beside the rows of SongBloom's paper. Shares are shares: PER 0.07 is 7 %.
Read PER beside that of `real` (the references) and `real through the VAE`.

| metric | what |
|---|---|
| `per` | phoneme error rate: edits that make the lyrics' phonemes into those heard in the separated voice, divided by the lyrics' phonemes, both summed over songs (may pass 1). Whisper hears without the lyrics; a song without a voice has all deleted. `detail` counts the edits |
| `per_without_tones` | the same without the digits of tones and stress |
| `ser_dtw` | share of the song's seconds on a wrong section, after dynamic time warping to the sections that the lyrics name. A sung section has no length, so one that is missing costs only a step of 0.1 s: read it beside `ser_labels` |
| `ser_labels` | edits between the two sequences of labels, divided by the number that was asked for; equal neighbours are one |
| `fad` | Frechet distance of the system's rows of `embedding` from those of all references. A sample's is too large, by about a constant / n; fewer rows than dimensions are refused but with `scores.fad.few` |
| `fad_infinity` | the same extrapolated to infinitely many rows: a line in 1 / n through seeded parts of the songs |
| `mcc_audio`, `mcc_text` | cosine of the vectors of MuQ-MuLan of a song and of its reference, or its text |
| `mos` | mean rating of listeners, 1 to 5 |
"""

TABLES = (
    table("scores", METRICS, """
system: of the sheet; `real`: the references; `real through the VAE`: these, coded and decoded
song: name in the sheet; empty in rows of a whole system
metric: see above
value: in units of the metric
low, high: 95 % interval over songs (bootstrap; FAD: jackknife over songs; MOS: over songs and, independently, raters); one song has none
n: how many songs; of FAD rows of the smaller set, of a song's MOS ratings
embedding: what FAD and MCC rest on, in words
detail: counts behind the value
"""),
    table("scores_left_out", "Rows of the sheets that are left out, and metrics that a row or system lacks, one row per reason.", """
system: of the sheet
song: name in the sheet; empty where a whole system lacks the metric
metric: that is lacking; empty where the whole row is left out
reason, detail: the reason in one word, and the facts
"""),
)  # fmt: skip
