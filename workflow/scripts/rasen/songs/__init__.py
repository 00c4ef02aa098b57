"""Songs: from recordings and lyrics to a training set, stage by stage.

    recording        any audio file as samples
    stems            vocals and accompaniment (Demucs)
    lyrics, align    the known lyrics, found in the vocals (WhisperX)
    structure        verse, chorus, bridge, intro, inst, outro
    phonemes         lyrics with structure flags as phoneme ids
    muq, codebook    sketch tokens: MuQ embeddings, one codebook, 25 a second
    vae              acoustic latents of the stable-audio VAE, 25 a second
    shards, dataset  what training reads

A stage opens its model once and takes songs one by one; a song that cannot go on raises a
`SongError`, which `ledger` writes down while the others go on.
"""
