"""Sets of weights: read lazily, drawn from a seed, blended in memory."""
