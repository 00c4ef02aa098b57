"""Architectures that are ours to run: tensors in, tensors out."""
