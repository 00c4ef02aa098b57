"""The embedded model: a tiny MusicGen, trained from scratch in about a minute."""
