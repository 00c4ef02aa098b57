"""The embedded model: a tiny MusicGen, made from nothing in about a minute."""
