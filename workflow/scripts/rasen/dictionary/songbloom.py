"""SongBloom: training runs and what they sing."""
# ruff: noqa: E501 (one line a column)

from rasen.dictionary.table import table

TABLES = (
    table("training", "Training runs of SongBloom, one row per step, and one per look at the validation windows.", """
run: name of the run in the config
step: number of the step
split: `train`, or `valid`
loss: `lm` + the flow's weight times `flow`
lm [nats per sketch token]: cross entropy of the sketch
flow: mean square error of the velocity
lr: learning rate of the step
norm: length of the gradient before clipping
tokens_s [1/s]: sketch tokens per second
memory [MB]: greatest of a process so far
time [s]: seconds since 1970 at which the step was logged
"""),
    table("generated", "Songs that SongBloom made, one row per run, step, song and seed.", """
run: name of the run in the config
step: whose weights sing
song: name of the song in `songbloom.generate.sheet`
seed: of the draws
seconds [s]: its length
patches: its length in patches of 0.64 s
rtf: seconds that the network took per second of song (of songs made together, their common time by the sum of their seconds; without the VAE)
ended: whether it came to its end by itself, before `songbloom.generate.seconds`
"""),
    table("generated_left_out", "Rows of `songbloom.generate.sheet` that could not be used, one row per reason.", """
song
reason, detail: the reason in one word, and the facts
"""),
)  # fmt: skip
