# SAEs: sparse autoencoders on every frame of a layer, what their features mean, how they change.
#   needs    results/inputs/{model}/{stimuli}.h5 of models with `sae: {stimuli}`, weights of {point}
#   makes    results/tables/{sae,features,feature_flow}.parquet    results/figures/sae/{model}/*.svg


use rule dump_activations as dump_frames with:
    output:
        activations="results/frames/{model}/{point}/{stimuli}.h5",
        description="results/frames/{model}/{point}/{stimuli}.json",
    log:
        "logs/dump_frames/{model}/{point}/{stimuli}.log",
    benchmark:
        "results/benchmarks/dump_frames/{model}/{point}/{stimuli}.tsv"
    params:
        env=environment,
        needs="models",
        recipe=recipe_json("frames"),
        settings=json.dumps(
            {key: config["sae"][key] for key in ("layers", "dtype")} | {"pool": "all"}
        ),
        code=code("dump_activations.py", environment),


rule train_sae:
    """Train every SAE of the grid on one layer in one pass; a killed job resumes from its state."""
    input:
        frames=lambda wildcards: f"results/frames/{{model}}/{{point}}/{MODELS[wildcards.model]['sae']}.h5",
    output:
        metrics="results/sae/{model}/{point}/layer-{layer}/metrics.parquet",
        outliers="results/sae/{model}/{point}/layer-{layer}/outliers.parquet",
    log:
        "logs/train_sae/{model}/{point}/layer-{layer}.log",
    benchmark:
        "results/benchmarks/train_sae/{model}/{point}/layer-{layer}.tsv"
    conda:
        "../envs/core.yaml"
    threads: of_model("threads")
    resources:
        mem_mb=growing("memory"),
        runtime=growing("runtime"),
        gpu=gpus,
        device=of_model("device"),
    params:
        settings=json.dumps(SAE_GRID),
        outlier=config["sae"]["outlier"],
        seed=config["seed"],
        code=code("train_sae.py"),
    shell:
        "rasen core train_sae.py --frames {input.frames} --layer {wildcards.layer}"
        " --settings {params.settings:q} --outlier {params.outlier} --seed {params.seed}"
        " --device {resources.device} --metrics {output.metrics} > {log} 2>&1"


rule measure_recovery:
    """What the model loses when a layer is replaced by its reconstruction."""
    input:
        weights=managed_weights,
        certificate=certificate,
        corrected=corrected,
        metrics="results/sae/{model}/{point}/layer-{layer}/metrics.parquet",
        inputs=lambda wildcards: f"results/inputs/{{model}}/{MODELS[wildcards.model]['perplexity']}.h5",
    output:
        recovery="results/sae/{model}/{point}/layer-{layer}/recovery.parquet",
    log:
        "logs/measure_recovery/{model}/{point}/layer-{layer}.log",
    conda:
        conda_file
    threads: of_model("threads")
    resources:
        mem_mb=growing("memory"),
        runtime=growing("runtime"),
        gpu=model_gpus,
        device=of_model("device"),
        batch=of_model("batch"),
    params:
        env=environment,
        needs="models",
        recipe=recipe_json(),
        code=code("measure_recovery.py", environment),
    shell:
        "rasen {params.env} measure_recovery.py --recipe {params.recipe:q} --inputs {input.inputs}"
        " --metrics {input.metrics} --model {wildcards.model} --layer {wildcards.layer} --recovery {output.recovery}"
        " --device {resources.device} --gpus {resources.gpu} --batch {resources.batch} > {log} 2>&1"


rule tally_features:
    """Which frames activate each feature of the main SAE, and what they have in common."""
    input:
        frames=lambda wildcards: f"results/frames/{{model}}/{{point}}/{MODELS[wildcards.model]['sae']}.h5",
        inputs=lambda wildcards: f"results/inputs/{{model}}/{MODELS[wildcards.model]['sae']}.h5",
        metrics="results/sae/{model}/{point}/layer-{layer}/metrics.parquet",
        weights=managed_weights,
    output:
        tally="results/sae/{model}/{point}/layer-{layer}/tally.h5",
        features="results/sae/{model}/{point}/layer-{layer}/features.parquet",
        examples="results/sae/{model}/{point}/layer-{layer}/examples.parquet",
    log:
        "logs/tally_features/{model}/{point}/layer-{layer}.log",
    conda:
        conda_file
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        env=environment,
        needs="models",
        recipe=recipe_json("encode"),
        settings=json.dumps(SAE_GRID),
        language=config["sae"]["language"],
        seed=config["seed"],
        code=code("tally_features.py", environment),
    shell:
        "rasen {params.env} tally_features.py --frames {input.frames} --inputs {input.inputs}"
        " --metrics {input.metrics} --recipe {params.recipe:q} --layer {wildcards.layer}"
        " --settings {params.settings:q} --language {params.language} --seed {params.seed}"
        " --tally {output.tally} --features {output.features} --examples {output.examples}"
        " > {log} 2>&1"


rule match_features:
    """Which feature of one point is which of the next: matched, born, died, and how far it moved."""
    input:
        tallies=lambda wildcards: [
            f"results/sae/{{model}}/{point}/layer-{{layer}}/tally.h5"
            for point in sae_points(wildcards.model)
        ],
    output:
        matches="results/sae/{model}/matches/layer-{layer}.parquet",
    log:
        "logs/match_features/{model}/layer-{layer}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        seed=config["seed"],
        code=code("match_features.py"),
    shell:
        "rasen core match_features.py --tallies {input.tallies} --model {wildcards.model}"
        " --layer {wildcards.layer} --seed {params.seed} --matches {output.matches} > {log} 2>&1"


rule write_sheet:
    """A sheet of a text model's features to be labelled by hand; name it in `sae.hand`."""
    input:
        examples=lambda wildcards: [
            f"results/sae/{{model}}/{point}/layer-{{layer}}/examples.parquet"
            for point in sae_points(wildcards.model)
        ],
    output:
        sheet="results/sae/{model}/hand-labels/layer-{layer}.tsv",
    log:
        "logs/write_sheet/{model}/layer-{layer}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        seed=config["seed"],
        code=code("write_sheet.py"),
    shell:
        "rasen core write_sheet.py --examples {input.examples} --seed {params.seed}"
        " --sheet {output.sheet} > {log} 2>&1"


rule measure_agreement:
    """Hand labels of granularity beside the automatic ones: Cohen's kappa."""
    input:
        hand=lambda wildcards: config["sae"]["hand"][wildcards.model],
        features=lambda wildcards: [
            f"results/sae/{{model}}/{point}/layer-{{layer}}/features.parquet"
            for point in sae_points(wildcards.model)
        ],
    output:
        agreement="results/sae/{model}/hand-labels/layer-{layer}.parquet",
    log:
        "logs/measure_agreement/{model}/layer-{layer}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("measure_agreement.py"),
    shell:
        "rasen core measure_agreement.py --hand {input.hand:q} --features {input.features}"
        " --model {wildcards.model} --layer {wildcards.layer} --agreement {output.agreement}"
        " > {log} 2>&1"


rule gather_sae:
    """Tables of all SAEs, of their features, and of how these change from point to point."""
    input:
        points="results/tables/points.parquet",
        metrics=per_sae_layer(
            "results/sae/{model}/{point}/layer-{layer}/metrics.parquet"
        ),
        recovery=per_sae_layer(
            "results/sae/{model}/{point}/layer-{layer}/recovery.parquet", "perplexity"
        ),
        features=per_sae_layer(
            "results/sae/{model}/{point}/layer-{layer}/features.parquet"
        ),
        matches=targets.per_matched_layer(
            config, points, "results/sae/{model}/matches/layer-{layer}.parquet"
        ),
    output:
        saes="results/tables/sae.parquet",
        features="results/tables/features.parquet",
        flow="results/tables/feature_flow.parquet",
    log:
        "logs/gather_sae.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("gather_sae.py"),
    shell:
        "rasen core gather_sae.py --points {input.points} --metrics {input.metrics}"
        " --recovery {input.recovery} --features {input.features} --matches {input.matches}"
        " --saes {output.saes} --table {output.features} --flow {output.flow} > {log} 2>&1"


rule plot_sae:
    """Reconstruction, dead features, what features mean and how they change along the route."""
    input:
        saes="results/tables/sae.parquet",
        features="results/tables/features.parquet",
        flow="results/tables/feature_flow.parquet",
    output:
        figures=report(
            directory("results/figures/sae/{model}"),
            patterns=["{name}.svg"],
            caption="../workflow/report/sae.rst",
            category="Sparse autoencoders",
            labels={"model": "{model}", "figure": "{name}"},
        ),
    log:
        "logs/plot_sae/{model}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        points=lambda wildcards: json.dumps(sae_points(wildcards.model)),
        settings=json.dumps(SAE_GRID),
        code=code("plot_sae.py"),
    shell:
        "rasen core plot_sae.py --saes {input.saes} --features {input.features} --flow {input.flow}"
        " --model {wildcards.model} --points {params.points:q}"
        " --settings {params.settings:q} --figures {output.figures} > {log} 2>&1"


rule sae:
    """Tables and figures of sparse autoencoders."""
    input:
        [
            part
            for name, model in MODELS.items()
            if model["sae"]
            for part in ("results/tables/sae.parquet", f"results/figures/sae/{name}")
        ],
        targets.hand_label_sheets(
            config, "results/sae/{model}/hand-labels/layer-{layer}"
        ),
