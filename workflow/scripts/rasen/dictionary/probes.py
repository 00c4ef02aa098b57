"""What layers know, and how alike they are."""
# ruff: noqa: E501 (one line a column)

from rasen.dictionary.table import table

TABLES = (
    table("probes", "One row per point, features, task, split and metric: what a probe reads. Intervals are 95 % over whole groups (songs, instruments), paired where values are subtracted.", """
model, route, point, position
layer: that the probe reads; of `selected` the one chosen most often. Empty where it reads none, or all, of the network's
features: what the probe reads: `network` (the layer), `selected` (for each test fold the layer that was best on the inner folds: the honest "best layer"), `last`, `mix` (a learned weighted sum of all layers), or features without a network: `log-mel`, `log-frequency`, `codec tokens`; `frozen`: the last layer after the layers above `layer` were trained for the task
task: name of the task in the config
kind: `ridge` (classes and tags one against the rest), `logistic`, `mlp`; `finetune`: trained layers and a linear head
split: `grouped`: whole groups are left out, nested (strengths and layers are chosen on inner folds); `given`: an official split; `random`: rows, not groups, are left out. **It leaks** and stands there as a warning
row: `probe`: the value; `reference`: ridge on the untouched network and the test folds on which `finetune` is scored (`probes.freezing.folds` of them, so `n` is smaller), which its rows `difference` subtract; `permuted`: labels permuted between groups; `difference`: what these features gain on those in `against`; `weight`: of a layer in the mix (`low`, `high`: over folds); `without`: what the mix loses without the layer
against: of rows `difference`: `last`, `mix`, a baseline, or `untrained` (the same layer of the untrained model)
metric: such as `accuracy`, `macro_f1`, `r2`, `roc_auc`; `weight` in rows `weight`
value: in units of the metric
low, high: its 95 % interval over groups; empty of a single group
chance: the best answer that knows no features: the most frequent class, the mean, the share of a tag
n: rows (or songs, where clips of a song are averaged) that are scored
groups: groups that are scored
lambda: median strength of the penalty over test folds; times the number of training rows it is the alpha of scikit-learn's Ridge
selected: share of test folds in which the layer was the best on inner folds
"""),
    table("similarity", "One row per pair of layers and measure: all layers of a point; each layer with that of the trained point; trained layers of two models.", """
model, point, layer
model_2, point_2, layer_2: the other layer
measure: `cka`: debiased linear CKA; `pwcca`, after principal components
value: 1: equal up to rotation and scale; near 0: unrelated
low, high: 95 % jackknife interval over groups of clips
null: the value of unrelated features of this size
n: how many clips
groups: how many groups of clips
components: of `pwcca`: how many principal components
"""),
)  # fmt: skip
