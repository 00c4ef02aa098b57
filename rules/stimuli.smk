# Stimuli: the clips or texts that models process, listed once and encoded once per model.
#   needs    stimuli.{stimuli}
#   makes    results/stimuli/{stimuli}.parquet    results/inputs/{model}/{stimuli}.h5
#            and a .quarantine.parquet with the clips that are left out and the reason of each
#            results/notes/{rendered,recorded}/{stimuli}.parquet when requested


rule list_stimuli:
    """One row per clip: how it is rendered or where it is read from, and its labels."""
    input:
        sheet=lambda wildcards: presence.sheet_input(
            config["stimuli"][wildcards.stimuli]
        ),
    output:
        clips="results/stimuli/{stimuli}.parquet",
    log:
        "logs/list_stimuli/{stimuli}.log",
    wildcard_constraints:
        stimuli="|".join(RENDERED) or "none",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        needs="stimuli",
        settings=lambda wildcards: settings("stimuli", wildcards.stimuli),
        # not of `output`: Snakemake takes what depends on it for unchanged
        recordings=lambda wildcards: recordings.hash_of_sizes(
            config["stimuli"][wildcards.stimuli],
            f"results/stimuli/{wildcards.stimuli}.parquet",
        ),
        code=code("list_stimuli.py"),
    shell:
        "rasen core list_stimuli.py --settings {params.settings:q} --clips {output.clips}"
        " > {log} 2>&1"


rule encode_stimuli:
    """Encode clips as a model's inputs (tokens); these are the same at every point, so this runs once."""
    input:
        clips="results/stimuli/{stimuli}.parquet",
        weights=managed_weights,
        certificate="results/weights/{model}/trained.json",
        codec=optional_weights,
    output:
        inputs="results/inputs/{model}/{stimuli}.h5",
        quarantine="results/inputs/{model}/{stimuli}.quarantine.parquet",
    log:
        "logs/encode_stimuli/{model}/{stimuli}.log",
    benchmark:
        "results/benchmarks/encode_stimuli/{model}/{stimuli}.tsv"
    wildcard_constraints:
        stimuli="|".join(RENDERED) or "none",
    conda:
        partial(conda_file, of=encoding)
    threads: of_model("threads")
    resources:
        mem_mb=growing("memory"),
        runtime=growing("runtime"),
        gpu=gpus,
        device=of_model("device"),
    params:
        env=encoding,
        needs="models stimuli",
        recipe=recipe_json("encode"),
        code=code("encode_stimuli.py", encoding),
    shell:
        "rasen {params.env} encode_stimuli.py --recipe {params.recipe:q} --clips {input.clips}"
        " --certificate {input.certificate} --inputs {output.inputs}"
        " --quarantine {output.quarantine} --device {resources.device} --workers {threads}"
        " --code {params.code} > {log} 2>&1"


rule render_notes:
    """Notes to be heard: an MP3 of each instrument, half a second a key."""
    input:
        clips="results/stimuli/{stimuli}.parquet",
    output:
        notes="results/notes/{origin}/{stimuli}.parquet",
    log:
        "logs/render_notes/{origin}/{stimuli}.log",
    wildcard_constraints:
        origin="rendered|recorded",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        needs="stimuli",
        code=code("render_notes.py"),
    shell:
        "rasen core render_notes.py --clips {input.clips} --notes {output.notes} > {log} 2>&1"


rule stimuli:
    """All stimuli of all models, encoded."""
    input:
        [
            f"results/inputs/{name}/{stimuli}.h5"
            for name, model in MODELS.items()
            for key in ["activations", "gradient", "perplexity"]
            for stimuli in targets.stimulus_sets(model, key)
        ],
