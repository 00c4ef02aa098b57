"""Rasen: walk a music model through weight space and watch its representation form."""
