"""The pitch helix: fits, comparisons, depth and peaks."""
# ruff: noqa: E501 (one line a column)

from rasen.dictionary.table import table

VERDICTS = """
One row per point, set of notes and layer: the pitch helix, its tests, and a verdict.

**`verdict`** summarises the tests, at a false discovery rate of 5 % over **all points and layers of the route** for one
set of notes, which is what its figures show (a point on two routes can have two verdicts): `octave` (`octave_q`: notes twelve keys
apart are similar, more than at any other distance from 2 to 18, more than 2, 3, 4 or 6 classes explain, more than on
smooth paths, and not by their loudness), `smooth path` (`order_q`: neighbouring keys are similar, but nothing repeats
at twelve), `cannot tell` (the same with fewer than 32 keys, where smooth paths and octaves look alike),
`no structure`, `no fit`. A high Helicality alone is evidence of a `smooth path` at most. Rows with route `baseline`
(layer -1) are features computed without a network.

The fits of single instruments (`helix/{model}/{point}.parquet`) also have `chirality, radius, radius_slope` (the signs of
components are arbitrary, so that of `chirality` is), `explained_1..3` (variance of the components) and `flags` in words.
"""

ALIGNED = """
Every note of every fit in three dimensions, one row per note.

**Each fit is turned about its axis and, where that comes closer, mirrored (`y` to `-y`), and nothing else**: components
have no sign, so the place of key 0 around the axis is arbitrary in every fit, and unaligned notes would jump from point
to point. Along a route the pooled notes of a layer are matched to those of the next point by least squares, from the
trained end back; at the trained end each layer is matched to the layer above; instruments are matched to the pooled
notes of their point. So turns between points or layers, and the handedness, are no finding; radii, heights and
distances within a fit are those of the fit. Baselines stay as fitted.
"""

TABLES = (
    table("helix", VERDICTS, """
model
route: name of the route; `baseline` of features without a network
point: one set of weights, or the name of the features without a network
position, stimuli
layer: 0 is what enters the first block, n the output of block n; -1 without a network
features: `network`, or the features without one (`log-mel`, `log-frequency`, `codec tokens`)
verdict: `octave`, `smooth path`, `cannot tell`, `no structure` or `no fit`, see above
instruments: how many instruments
keys: how many keys
lowest [MIDI pitch]: of the lowest key
helicality: number of keys / summed squared distance of the notes from the best helix [eq. 2], mean over instruments. 1/3 where nothing is explained
low, high: Student's 95 % interval of it over instruments (of the logarithm of the mean)
helicality_12: the same with the period fixed at 12 keys
r2: share of the variance explained by the curve, mean over instruments
period [keys per turn]: of the best helix, median over instruments
octave_share: share of the instruments that individually pass the folding tests (no draws)
pooled: Helicality of one fit to the features' mean over instruments; all columns below refer to it, too
pooled_low, pooled_high: its 95 % bootstrap interval over instruments
pooled_period [keys per turn]: of that fit
pooled_r2, pooled_chroma: share of the variance explained by that curve, and by its circle alone
?pooled_trials: the best Helicality that the published search finds for the pooled notes (with `helix.method: trials`)
octave_p, octave_q: the largest of `folding_p`, `divisor_p`, `margin_p` and `loudness_p`, as all must be small; corrected over the route
folding, folding_rival: share of variance that repeats every 12 keys, after removing a cubic trend; the largest at another period
folding_p: p of `folding` against keys in random order
divisor_p: p that 12 classes explain no more than 2, 3, 4 or 6 of them do
margin, margin_p: folding at 12 less that of the best other period, with the least favourable of three trends; p against smooth paths (at most `draws`; 1 where another period is better)
loudness_p: `octave_p` after the notes' loudness was regressed out
order_p, order_q: p that neighbouring keys are no more similar than in random order; corrected over the route
held_out_octave, held_out_p: accuracy of pitch class prediction in an octave that was left out (chance 1/12; at least two octaves); p against smooth paths with as many instruments
fourier_12: R2, beyond a trend, of one pair of sine and cosine of 12 keys fitted to the other instruments
fourier_period [keys]: the period whose pair has the largest such R2
transfer_r2: R2 of one instrument's helix on the notes of another, in its own components; mean over pairs
permutation_p: p of the pooled Helicality against shuffled keyboards; not corrected, as every draw is a fit (at most `helix.null_draws`)
smooth_50, smooth_95, smooth_p: of the Helicality of smooth paths without an octave: median and 95 % quantile; p against them, not corrected
contrast: R2 of the helix at 12 keys minus the best at another period
draws: at most so many draws of each null without a fit
random_mean, random_95: Helicality of one fit to features in random order: mean and 95 % quantile
random_12_mean, random_12_95: the same with the period fixed at 12 keys
"""),
    table("helix_differences", "Paired comparisons of mean Helicality: a point minus another, instrument by instrument, with the same notes.", """
model, route, point, position, stimuli, layer
against: what is subtracted: the `untrained` model, the `previous point` of the route, or the notes' `log-mel` spectrum
instruments: how many are paired
difference: mean over instruments
low, high: Student's 95 % interval of it
p, q: that it is zero (Student's t test); corrected over all points and layers of the route
"""),
    table("helix_slopes", "One row per point and set of notes: how Helicality rises with depth.", """
model, route, point, position, stimuli
layers: how many layers the line goes through
instruments: how many
slope [Helicality from first to last layer]: of a straight line through the layers, mean over instruments
low, high: Student's 95 % interval of it
p, q: that it is zero; corrected over the points of the route
"""),
    table("helix_peaks", "One row per route, set of notes and layer: the position at which mean Helicality is highest.", """
model, route, stimuli, layer
instruments: how many
peak [position]: where the mean over instruments is highest
low, high [position]: 95 % of the peaks of resampled instruments
before_end: share of resamples in which the peak is before the route's last position
"""),
    table("helix_notes", ALIGNED, """
model
route: as in `helix`; `baseline` of features without a network
point, position: as in `helix`; of a baseline its name, and no position
stimuli, layer, features: as in `helix`
instrument: name of the instrument, or `pooled`: the mean of their features
key: place of the note from the lowest, 0 on
pitch [MIDI pitch]: 60 is C4
x, y, z: where the note is, in standardised components; `z` is the axis of the helix and points upward in pitch. Empty where there is no fit
"""),
    table("helix_curves", "The fitted curve through the notes of each fit, as numbers. At key t, with r = `radius` + `radius_slope` t: x = r cos(`omega` t + `turn`), y = r sin(`omega` t + `turn`), z = `level` + `rise` t. Turned and mirrored as the notes are.", """
model, route, point, position, stimuli, layer
features, instrument: as in `helix_notes`
lowest, keys: MIDI pitch of key 0, number of keys
omega [radians per key]: negative where the helix was mirrored
turn [radians]: angle of key 0
radius, radius_slope: at key 0, and per key (`radius` in `helix/{model}/{point}.parquet` is that at the middle key)
level, rise: height of key 0, and per key
"""),
)  # fmt: skip
