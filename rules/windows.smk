# Windows of the songs as stimuli: read from the shards, so no sound is encoded.
#   needs    stimuli.{stimuli} of kind windows, results/tables/songs.parquet, results/shards/{batch}.h5
#   makes    results/stimuli/{stimuli}.parquet    results/inputs/{model}/{stimuli}.h5


rule list_windows:
    """One row per window: its song, where it starts, its labels."""
    input:
        index="results/tables/songs.parquet",
        shards=per_batch("results/shards/{batch}.h5"),
    output:
        clips="results/stimuli/{stimuli}.parquet",
    log:
        "logs/list_windows/{stimuli}.log",
    wildcard_constraints:
        stimuli="|".join(WINDOWS) or "none",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=window_settings,
        code=code("list_windows.py"),
    shell:
        "rasen core list_windows.py --settings {params.settings:q} --index {input.index}"
        " --clips {output.clips} > {log} 2>&1"


rule encode_windows:
    """A model's inputs of every window: its sketch, latents, lyrics and prompt."""
    input:
        clips="results/stimuli/{stimuli}.parquet",
        index="results/tables/songs.parquet",
        shards=per_batch("results/shards/{batch}.h5"),
        weights=managed_weights,
        certificate="results/weights/{model}/trained.json",
    output:
        inputs="results/inputs/{model}/{stimuli}.h5",
        quarantine="results/inputs/{model}/{stimuli}.quarantine.parquet",
    log:
        "logs/encode_windows/{model}/{stimuli}.log",
    wildcard_constraints:
        stimuli="|".join(WINDOWS) or "none",
    conda:
        conda_file
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        env=environment,
        needs="models",
        recipe=recipe_json("windows"),
        settings=window_settings,
        code=code("encode_windows.py", environment),
    shell:
        "rasen {params.env} encode_windows.py --recipe {params.recipe:q}"
        " --settings {params.settings:q} --index {input.index} --clips {input.clips}"
        " --certificate {input.certificate} --inputs {output.inputs}"
        " --quarantine {output.quarantine} > {log} 2>&1"
