"""Perplexity along every route of one model [seed 000, figure 8, and the real training run]."""

from rasen.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, page, save

STYLES = {"linear": (BLUE, "o", "-"), "gradient": (ORANGE, "s", "--"), "step": (BLACK, "o", "-")}
CONTROLS = [(SKY, "^", ":"), (RED, "v", ":"), (GREEN, "D", ":"), (PURPLE, "P", ":")]


def draw(table, path):
    """Alpha on the left, training steps on the right, one logarithmic axis of perplexity.

    table: rows of one model: route, position, perplexity, low, high
    """
    walks = [route for route in table["route"].unique() if route != "step"]
    real = "step" in set(table["route"])
    figure, axes = page(columns=1 + real, sharey=True, height=3.1)
    axes = axes[0]
    controls = iter(CONTROLS * len(walks))
    for route in walks:
        style = STYLES[route] if route in STYLES else next(controls)
        label = {"linear": "linear", "gradient": "gradient-corrected"}.get(
            route, f"linear from {route.removeprefix('linear+')}"
        )
        _line(axes[0], table[table["route"] == route], "position", label, style)
    axes[0].set(xlabel=r"$\alpha$ (0: untrained, 1: trained)", ylabel="perplexity")
    axes[0].set_yscale("log")
    if real:
        run = table[table["route"] == "step"]
        # Step 0 has no place on a logarithmic axis; symlog keeps it, one decade before step 1.
        _line(axes[1], run, "position", "real training run", STYLES["step"])
        axes[1].set_xscale("symlog", linthresh=1, linscale=0.5)
        decades = [0, *(10**k for k in range(9) if 10**k <= run["position"].max())]
        axes[1].set_xticks(decades, [f"{step:,}" for step in decades])
        axes[1].set(xlabel="training step", xlim=(-0.1, run["position"].max() * 1.4))
    for axis in axes:
        axis.legend(loc="lower left")
    _plain_ticks(axes[0], table)
    save(figure, path)


def _line(axis, rows, x, label, style):
    colour, marker, line = style
    rows = rows.sort_values(x)
    axis.fill_between(rows[x], rows["low"], rows["high"], color=colour, alpha=0.2, linewidth=0)
    axis.plot(rows[x], rows["perplexity"], line, color=colour, marker=marker, ms=4, label=label)


def _plain_ticks(axis, table):
    """Ticks at 1, 2 and 5 times powers of ten, written out, over the range of the data."""
    ticks = [factor * 10**power for power in range(-1, 7) for factor in (1, 2, 5)]
    low, high = table["low"].min(), table["high"].max()
    inside = [tick for tick in ticks if low / 1.6 <= tick <= high * 1.6]
    axis.set_yticks(inside, [f"{tick:g}" for tick in inside])
    axis.minorticks_off()
