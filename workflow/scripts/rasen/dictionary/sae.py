"""Sparse autoencoders, their features, and what becomes of features."""
# ruff: noqa: E501 (one line a column)

from rasen.dictionary.table import table

FATES = """before, after [features]: that fire at the first and the second point
matched [features]: that are each other's best, beyond chance"""

TABLES = (
    table("sae", "One row per point, layer and sparse autoencoder (SAE): its settings, reconstruction error, dead features, and what the model loses with it. All numbers but `validation_loss` are measured on test clips.", """
model, route, point, position, layer
sae: name of its folder
n: latents
d: width of the layer
expansion: n / d
k: latents that may be active per row (none of `relu`)
kind: `topk`, `batchtopk`, `matryoshka` or `relu`
lr: learning rate
normalise: what is done to the rows first: `none`, `rms`, `scalar` (unit length), `standard` (mean 0, variance 1)
l1: weight of the penalty on activations (`relu` alone)
aux: weight of the loss that revives dead latents
dead_after [rows]: without firing after which a latent counts as dead in training
precision: of the search for the largest latents
seed: of the first weights (`sae.seeds`); rows with different seeds show how much each number depends on it
batch [rows]: per training step
epochs: passes over the training rows
steps: of the training
fvu, fvu_normal: unexplained share of the variance, over all rows and without outlier rows. A few huge rows can dominate `fvu`: compare the two, and `token_error`. NaN where all rows are equal
token_error: mean of squared error / squared norm, every row weighted equally
explained_variance: 1 - variance of the error / variance of the rows: forgives a constant offset
l0: latents active per row, mean
dead, dense: shares of latents that are active in no test row, and in more than a tenth of them
rows_test: how many test rows
dead_in_training: share of latents that were dead at the end of the training
norm_median, norm_max: lengths of the rows, in the layer's units
outliers: share of rows longer than `sae.outlier` medians
validation_loss: on validation clips, over the variance there; it chooses the learning rate
diverged: whether the training diverged (loss not finite, or 10 times that of the mean); then it is not stored, and never `best`
best: the learning rate with the lowest `validation_loss` among SAEs with otherwise equal settings
best_at_edge: whether that rate is the smallest or largest of the grid, so that one beyond may be better
?loss, loss_model, loss_mean [nats per target]: on held-out data with the layer replaced by its reconstruction, unchanged, and replaced by its mean (models with a loss, layers above 0)
?loss_recovered: share of the gap between `loss_mean` and `loss_model` that the reconstruction closes (NaN if the model's loss without the layer is no higher)
"""),
    table("features", "One row per point, layer and feature of the main SAE: how often it is active, and what it means. Half of the groups of clips choose a label, the other half judge it.", """
model, point, layer
sae: the SAE's name
seed: of its first weights
feature: its number
rows, clips: rows and clips in which it is active (of test clips, or all with `sae.rows: all`)
rate, clip_rate: the same as shares
maximum: its greatest activation
mean, mean_activation: mean over the rows where it is active, and over all
row, clip, frame: where it is greatest (-1 where it never fires)
strong_clips: clips with more than 0.7 of its maximum
kept: whether `clip_rate` is within `sae.label.rate` (1 to 25 %)
?label: the label of the clips that it detects best, by average precision; `unlabelled` where none is beyond chance or `lift` is small (stimuli with labels, as are the rows below)
?column: of the sheet, to which the label belongs
?lift: (`ap` - share of the label) / (1 - share): 0 is chance, 1 perfect
?ap, auroc: average precision, and area under the ROC curve
?information [bits]: mutual information of "is active" and the label
?z: by how many standard deviations the label is beyond permuted ones
?p, p_corrected: of any label, against the greatest of all labels permuted; at a false discovery rate
?units: clips in which it is active, of those that choose
?positives: of those that judge: how many have the label
?auroc_held_out, balanced_accuracy: of the label on clips that did not choose it
?auroc_hard, balanced_accuracy_hard: the same, against the nearest clips without the label only
?confirmed: whether `auroc_hard` is at least .7
?purity: 1 if only one value of the column activates the feature
?label_frame, column_frame, lift_frame, ap_frame, auroc_frame, information_frame, z_frame, p_frame, p_corrected_frame, units_frame, positives_frame, auroc_held_out_frame, balanced_accuracy_frame, auroc_hard_frame, balanced_accuracy_hard_frame, confirmed_frame, purity_frame: the same for labels of frames (`sae.label.intervals`); the null moves whole groups of clips, each from a random frame on
?language: texts: `ja`, `en`, `mixed`, `neutral`
?examples, ja, en: texts: strong examples, and how many of them are in each language
?granularity: texts: what examples have in common: `token`, `synonym`, `meaning`, `unrelated`, `too few`
?word: texts: the commonest word of the examples
?token_share, synonym_share: texts: share of the examples with that word, and with its meaning
?similarity: texts: mean cosine of the vectors of different words
?p_granularity, p_corrected_granularity: texts with labels: p of `similarity`, where `p` is that of the labels
"""),
    table("feature_flow", "One row per layer and pair of consecutive points: what becomes of the features of the main SAE.", f"""
model, layer
from_point, to_point: the two points
{FATES}
births, deaths [features]: that only the second point has, and only the first
overlap: median over matched features: rows where both fire / rows where either does
drift: median over matched features: 1 - cosine of the two decoder directions
?named [features]: matched ones that have a label at both points
?agreement, kappa: share of them with the same label, and Cohen's kappa of it
seeds: how many seeds were trained
matched_low, matched_high [features]: least and greatest `matched` of any seed (empty of one seed, as are the rows below)
seed_share_before, seed_share_after: share of features that match between two seeds at the same point
deaths_beyond, births_beyond [features]: more than between two seeds at one point (a lower bound, as SAEs of one seed start alike at all points; below 0: fewer)
"""),
    table("feature_seeds", "One row per layer, point and two seeds of the main SAE: how stable features are when nothing but the first weights changes.", """
model, layer, point
seed, other_seed: the two seeds
before, after [features]: that fire with the first and the second seed
matched [features]: that are each other's best, beyond chance
share: 2 matched / (before + after)
overlap, drift: medians over matched features, as in `feature_flow`
?named, agreement, kappa: as in `feature_flow`
"""),
    table("feature_coverage", "One row per point, layer and units of the labels: how many features have a label.", """
model, layer, point
units: what the labels are of: `clips`, `frames`, or `none`
alive, kept [features]: that fire, and that are `kept`
?features: how many were tested (where there are labels, as are the rows below)
?labelled, confirmed: shares of those that have a label, and one that is confirmed
?purity, auroc_hard: means over the labelled ones
?labelled_low, labelled_high, confirmed_low, confirmed_high: least and greatest of any seed (several seeds)
"""),
)  # fmt: skip
