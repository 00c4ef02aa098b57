"""Points, gradient steps, and losses along routes."""
# ruff: noqa: E501 (one line a column)

from rasen.dictionary.table import table

INTERVAL = "95 % bootstrap interval over clips"

TABLES = (
    table("points", "Models, the routes of each, and the points of each route, **in the order in which tables and figures have them**: models as in the config; `linear`, its controls (`linear+START`), `gradient` and its variants, `step`; positions upward, so that the untrained end is first.", """
model, route, point, position
"""),
    table("gradient", "One row per gradient route, point and gradient step: what one step on D does to the loss on D [eq. 4].", """
model, route
point: the point that the steps make, such as `gradient-0.250`
position: alpha of the point from which they start
step: number of the step, from 1
data: stimulus set D whose loss is lowered
eta: size of the step: eta times the gradient is subtracted
steps: how many steps lead to the point
loss_before, loss_after [nats per target]: mean loss on D before and after the step
change: norm of the step / norm of the weights
"""),
    table("perplexity", "One row per point and group of targets: how well the model predicts the held-out clips D_eval [eq. 5].", f"""
model, route, point, position
group: a codebook of the codec (`codebook-0` ...), or `mean`: the mean loss of all, whose exponential is the model's perplexity
loss [nats per target]: mean cross entropy
perplexity: exp(loss)
low, high: {INTERVAL}, of the perplexity
clips: how many clips
targets: how many predictions
"""),
    table("guessers", """
The same loss of guessers that know no context, one row per model, set of clips, guesser and group. What a model learns
beyond `unigram` is context.

- `uniform`: all tokens are equally likely.
- `unigram`: token w has the probability (count(w) + k / cardinality) / (n + k) by its count among the n tokens, k of them
  different, of the **other** clips (Witten-Bell smoothing, leave one clip out): frequencies of the very tokens that are
  guessed would give their entropy, which no guesser reaches.
""", f"""
model, stimuli
guesser: `uniform` or `unigram`
group: a codebook, or their `mean`
loss [nats per target]: mean cross entropy
perplexity: exp(loss)
low, high: {INTERVAL}, of the perplexity
clips: how many clips
targets: how many predictions
"""),
    table("lens", "One row per point, layer and group: the loss on D_eval when the model's own final norm and heads read that layer. The last layer's is the model's own.", f"""
model, route, point, position, layer
group: a codebook, or their `mean`
loss [nats per target]: mean cross entropy
perplexity: exp(loss)
low, high: {INTERVAL}, of the perplexity
clips: how many clips
targets: how many predictions
"""),
)  # fmt: skip
