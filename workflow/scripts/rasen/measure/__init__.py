"""Run a model at a point over stimuli: encode, dump activations, losses, gradients, recovery."""
