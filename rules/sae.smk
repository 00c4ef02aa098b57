# SAEs: sparse autoencoders on every frame of a layer, what their features mean, how they change.
#   needs    results/inputs/{model}/{stimuli}.h5 of models with `sae: {stimuli}`, weights of {point}
#   makes    results/tables/{sae,features,feature_flow,feature_seeds}.parquet    results/figures/sae/{model}/*.svg


# one job trains the SAEs of a layer, or a shard of them
OF_SHARD = "-shard-{shard}" if SHARDS > 1 else ""
SHARD_FOLDER = "shard-{shard}/" if SHARDS > 1 else ""
LAYER_OF_SHARD = f"results/sae/{{model}}/{{point}}/layer-{{layer}}/{SHARD_FOLDER}"
OTHER_SEEDS = [f"-seed{seed}" for seed in SAE_SEEDS[1:]]


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
    """Train the SAEs of the grid on one layer in one pass; a killed job resumes from its state."""
    input:
        frames=lambda wildcards: f"results/frames/{{model}}/{{point}}/{MODELS[wildcards.model]['sae']}.h5",
        previous=saes_of_point_before,
    output:
        metrics=f"{LAYER_OF_SHARD}metrics.parquet",
        outliers=f"{LAYER_OF_SHARD}outliers.parquet",
    log:
        f"logs/train_sae/{{model}}/{{point}}/layer-{{layer}}{OF_SHARD}.log",
    benchmark:
        f"results/benchmarks/train_sae/{{model}}/{{point}}/layer-{{layer}}{OF_SHARD}.tsv"
    conda:
        "../envs/core.yaml"
    threads: of_model("threads")
    resources:
        mem_mb=growing(config["sae"]["training_memory"] or "memory"),
        runtime=growing("runtime"),
        gpu=gpus,
        device=of_model("device"),
    params:
        settings=json.dumps(SAE_GRID, sort_keys=True),
        seeds=json.dumps(SAE_SEEDS),
        outlier=config["sae"]["outlier"],
        seed=config["seed"],
        shard=lambda wildcards: wildcards.get("shard", 0),
        shards=SHARDS,
        previous=given("previous"),
        code=code("train_sae.py"),
    shell:
        "rasen core train_sae.py --frames {input.frames} --layer {wildcards.layer}"
        " --settings {params.settings:q} --seeds {params.seeds:q} --outlier {params.outlier}"
        " --seed {params.seed} --shard {params.shard} --shards {params.shards}"
        " --device {resources.device} --memory {resources.mem_mb} --metrics {output.metrics}"
        " {params.previous} > {log} 2>&1"


if SHARDS > 1:

    rule join_shards:
        """The tables of a layer's SAEs that were trained in several jobs as one."""
        input:
            shards=expand(
                f"{LAYER_OF_SHARD}metrics.parquet",
                shard=range(SHARDS),
                allow_missing=True,
            ),
            outliers=expand(
                f"{LAYER_OF_SHARD}outliers.parquet", shard=0, allow_missing=True
            ),
        output:
            metrics="results/sae/{model}/{point}/layer-{layer}/metrics.parquet",
            outliers="results/sae/{model}/{point}/layer-{layer}/outliers.parquet",
        log:
            "logs/join_shards/{model}/{point}/layer-{layer}.log",
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=growing(1000),
            runtime=growing(10),
        params:
            code=code("join_shards.py"),
        shell:
            "rasen core join_shards.py --shards {input.shards} --outliers-of {input.outliers}"
            " --metrics {output.metrics} --outliers {output.outliers} > {log} 2>&1"


rule measure_recovery:
    """What the model loses when a layer is replaced by its reconstruction."""
    input:
        weights=managed_weights,
        certificate=certificate,
        corrected=corrected,
        statistics=batch_norm_inputs,
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
        recipe=recipe_json("recovery"),
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
        intervals=lambda wildcards: LABEL["intervals"].get(
            MODELS[wildcards.model]["sae"], []
        ),
        meanings=LABEL["meanings"] or [],
        tags=lambda wildcards: targets.clap_tags(config, MODELS[wildcards.model]["sae"]),
    output:
        tally="results/sae/{model}/{point}/layer-{layer}/tally.h5",
        features="results/sae/{model}/{point}/layer-{layer}/features.parquet",
        examples="results/sae/{model}/{point}/layer-{layer}/examples.parquet",
        top="results/sae/{model}/{point}/layer-{layer}/top_clips.parquet",
    log:
        "logs/tally_features/{model}/{point}/layer-{layer}.log",
    conda:
        conda_file
    threads: of_model("threads")
    resources:
        mem_mb=growing(config["sae"]["memory"]),
        runtime=growing(60),
        gpu=gpus,
        device=of_model("device"),
    params:
        env=environment,
        needs="models",
        recipe=recipe_json("encode"),
        settings=json.dumps(SAE_GRID, sort_keys=True),
        rows=config["sae"]["rows"],
        sae_seed=lambda wildcards: wildcards.get("sae_seed", SAE_SEEDS[0]),
        language=lambda wildcards: (
            config["sae"]["language"] if reads(wildcards) == "text" else "script"
        ),
        label=json.dumps(
            {key: LABEL[key] for key in ("tenths", "rate", "top")}, sort_keys=True
        ),
        optional=given("intervals", "meanings", "tags"),
        seed=config["seed"],
        code=code("tally_features.py", environment),
    shell:
        "rasen {params.env} tally_features.py --frames {input.frames} --inputs {input.inputs}"
        " --metrics {input.metrics} --recipe {params.recipe:q} --layer {wildcards.layer}"
        " --settings {params.settings:q} --rows {params.rows} --language {params.language}"
        " --seed {params.seed} --sae-seed {params.sae_seed}"
        " --device {resources.device} --memory {resources.mem_mb}"
        " --tally {output.tally} --features {output.features} --examples {output.examples}"
        " --top {output.top} --label {params.label:q} {params.optional} > {log} 2>&1"


use rule tally_features as tally_other_seed with:
    output:
        tally="results/sae/{model}/{point}/layer-{layer}/tally-seed{sae_seed}.h5",
        features="results/sae/{model}/{point}/layer-{layer}/features-seed{sae_seed}.parquet",
        examples="results/sae/{model}/{point}/layer-{layer}/examples-seed{sae_seed}.parquet",
        top="results/sae/{model}/{point}/layer-{layer}/top_clips-seed{sae_seed}.parquet",
    log:
        "logs/tally_features/{model}/{point}/layer-{layer}-seed{sae_seed}.log",


rule tag_stimuli:
    """Tags of clips by CLAP: which of some descriptions fits each best."""
    input:
        clips="results/stimuli/{stimuli}.parquet",
    output:
        tags="results/clap/{stimuli}.parquet",
    log:
        "logs/tag_stimuli/{stimuli}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(config["sae"]["memory"]),
        runtime=growing(240),
        gpu=gpus,
        device=CLAP.get("device", "auto"),
    params:
        needs="stimuli",
        settings=json.dumps(
            {key: CLAP[key] for key in ("weights", "prompts", "margin") if key in CLAP}
        ),
        code=code("tag_stimuli.py"),
    shell:
        "rasen core tag_stimuli.py --clips {input.clips} --settings {params.settings:q}"
        " --device {resources.device} --tags {output.tags} > {log} 2>&1"


rule export_top_clips:
    """The clips in which features are most active as audio, with a playlist per feature."""
    input:
        top="results/sae/{model}/{point}/layer-{layer}/top_clips.parquet",
        clips="results/stimuli/{stimuli}.parquet",
    output:
        folder=directory("results/sae/{model}/{point}/layer-{layer}/{stimuli}"),
    log:
        "logs/export_top_clips/{model}/{point}/{stimuli}-{layer}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        needs="stimuli",
        code=code("export_top_clips.py"),
    shell:
        "rasen core export_top_clips.py --top {input.top} --clips {input.clips}"
        " --folder {output.folder} > {log} 2>&1"


rule write_question:
    """What do the examples of each feature have in common? For a language model, or people."""
    input:
        tally="results/sae/{model}/{point}/layer-{layer}/tally.h5",
        top="results/sae/{model}/{point}/layer-{layer}/top_clips.parquet",
        examples="results/sae/{model}/{point}/layer-{layer}/examples.parquet",
        clips=lambda wildcards: f"results/stimuli/{MODELS[wildcards.model]['sae']}.parquet",
    output:
        question="results/sae/{model}/questions/{point}-layer-{layer}.json",
    log:
        "logs/write_question/{model}/{point}/layer-{layer}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=code("write_question.py"),
    shell:
        "rasen core write_question.py --tally {input.tally} --top {input.top}"
        " --examples {input.examples} --clips {input.clips} --question {output.question}"
        " > {log} 2>&1"


rule judge_answers:
    """The labels of a language model, judged on held-out clips as those of Rasen are."""
    input:
        answer=lambda wildcards: f"{LABEL['answers'][wildcards.model]}/{{point}}-layer-{{layer}}.json",
        tally="results/sae/{model}/{point}/layer-{layer}/tally.h5",
        clips=lambda wildcards: f"results/stimuli/{MODELS[wildcards.model]['sae']}.parquet",
    output:
        answers="results/sae/{model}/{point}/layer-{layer}/answers.parquet",
    log:
        "logs/judge_answers/{model}/{point}/layer-{layer}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(config["sae"]["memory"]),
        runtime=growing(60),
    params:
        seed=config["seed"],
        code=code("judge_answers.py"),
    shell:
        "rasen core judge_answers.py --answer {input.answer:q} --tally {input.tally}"
        " --clips {input.clips} --seed {params.seed} --answers {output.answers} > {log} 2>&1"


rule match_features:
    """Which feature of one point is which of the next, and which of one seed is which of another."""
    input:
        tallies=lambda wildcards: [
            f"results/sae/{{model}}/{point}/layer-{{layer}}/tally{of_seed}.h5"
            for of_seed in ["", *OTHER_SEEDS]
            for point in sae_points(wildcards.model)
        ],
    output:
        matches="results/sae/{model}/matches/layer-{layer}.parquet",
    log:
        "logs/match_features/{model}/layer-{layer}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(config["sae"]["memory"]),
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
        other_seeds=[
            path
            for of_seed in OTHER_SEEDS
            for path in per_sae_layer(
                f"results/sae/{{model}}/{{point}}/layer-{{layer}}/features{of_seed}.parquet"
            )
        ],
        matches=targets.per_matched_layer(
            config, points, "results/sae/{model}/matches/layer-{layer}.parquet"
        ),
    output:
        saes="results/tables/sae.parquet",
        features="results/tables/features.parquet",
        flow="results/tables/feature_flow.parquet",
        seeds="results/tables/feature_seeds.parquet",
        coverage="results/tables/feature_coverage.parquet",
    log:
        "logs/gather_sae.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        seed=SAE_SEEDS[0],
        code=code("gather_sae.py"),
    shell:
        "rasen core gather_sae.py --points {input.points} --seed {params.seed}"
        " --metrics {input.metrics} --recovery {input.recovery} --features {input.features}"
        " --other-seeds {input.other_seeds} --matches {input.matches} --saes {output.saes}"
        " --table {output.features} --flow {output.flow} --seeds {output.seeds}"
        " --coverage {output.coverage} > {log} 2>&1"


rule plot_sae:
    """Reconstruction, dead features, what features mean and how they change along the route."""
    input:
        saes="results/tables/sae.parquet",
        features="results/tables/features.parquet",
        flow="results/tables/feature_flow.parquet",
        seeds="results/tables/feature_seeds.parquet",
    output:
        figures=report(
            directory("results/figures/sae/{model}"),
            patterns=["{name}.svg"],
            caption="../workflow/report/sae.rst",
            category="Sparse autoencoders",
            labels=lambda wildcards: {
                "model": wildcards.model,
                "figure": targets.title_of_sae_figure(wildcards.name),
            },
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
        settings=json.dumps(SAE_GRID, sort_keys=True),
        code=code("plot_sae.py"),
    shell:
        "rasen core plot_sae.py --saes {input.saes} --features {input.features} --flow {input.flow}"
        " --seeds {input.seeds} --model {wildcards.model} --points {params.points:q}"
        " --settings {params.settings:q} --figures {output.figures} > {log} 2>&1"


rule sae:
    """Tables and figures of sparse autoencoders."""
    input:
        [
            part
            for name, model in MODELS.items()
            if model["sae"]
            for part in (*rules.gather_sae.output, f"results/figures/sae/{name}")
        ],
        targets.hand_label_sheets(
            config, "results/sae/{model}/hand-labels/layer-{layer}"
        ),
        targets.questions_and_answers(config, points),


rule sae_clips:
    """The clips in which features are most active, as audio."""
    input:
        targets.top_clips(
            config, points, "results/sae/{model}/{point}/layer-{layer}/{stimuli}"
        ),
