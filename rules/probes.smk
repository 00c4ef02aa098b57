# Probes: what each layer knows, read by linear models and small networks.
#   needs    tasks.{task}, results/activations/{model}/{point}/{stimuli}.h5 of models with `probes: [task]`
#   makes    results/tables/probes.parquet    results/figures/probes/{model}/*.svg
#            results/finetuned/{model}/{point}/{stimuli}.parquet, with `probes.freezing`


FINETUNED = probed.finetuned_sets(config, points)


use rule dump_activations as dump_means with:
    output:
        activations="results/means/{model}/{point}/{stimuli}.h5",
        description="results/means/{model}/{point}/{stimuli}.json",
    log:
        "logs/dump_means/{model}/{point}/{stimuli}.log",
    benchmark:
        "results/benchmarks/dump_means/{model}/{point}/{stimuli}.tsv"
    params:
        env=environment,
        needs="models",
        recipe=recipe_json("activations"),
        settings=json.dumps(
            config["activations"] | {"pool": config["probes"]["frames"]},
            sort_keys=True,
        ),
        code=code("dump_activations.py", environment),


rule measure_spectra:
    """Spectra of clips, one a clip and several a second: what can be read without a network."""
    input:
        clips="results/stimuli/{stimuli}.parquet",
    output:
        spectra="results/spectra/{stimuli}.h5",
    log:
        "logs/measure_spectra/{stimuli}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        needs="stimuli",
        frames=lambda wildcards: probed.spectra_per_second(config, wildcards.stimuli),
        code=code("measure_spectra.py"),
    shell:
        "rasen core measure_spectra.py --clips {input.clips} --frames {params.frames}"
        " --spectra {output.spectra} > {log} 2>&1"


rule fit_probes:
    """Read every task of a stimulus set from every layer of a model at a point."""
    input:
        clips="results/stimuli/{stimuli}.parquet",
        activations="results/activations/{model}/{point}/{stimuli}.h5",
        inputs="results/inputs/{model}/{stimuli}.h5",
        spectra=lambda wildcards: probed.spectra(config, wildcards.stimuli),
    output:
        rows="results/probes/{model}/{point}/{stimuli}.parquet",
        draws="results/probes/{model}/{point}/{stimuli}.draws.h5",
    log:
        "logs/fit_probes/{model}/{point}/{stimuli}.log",
    benchmark:
        "results/benchmarks/fit_probes/{model}/{point}/{stimuli}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        tasks=lambda wildcards: probed.tasks_of_set(
            config, wildcards.model, wildcards.stimuli, frames=False
        ),
        frames=False,
        kinds=config["probes"]["kinds"],
        settings=probed.settings(config),
        spectra=given("spectra"),
        seed=config["seed"],
        code=code("fit_probes.py"),
    shell:
        "rasen core fit_probes.py --clips {input.clips} --activations {input.activations}"
        " --inputs {input.inputs} --frames {params.frames}"
        " --tasks {params.tasks:q} --kinds {params.kinds} --settings {params.settings:q}"
        " --seed {params.seed} --rows {output.rows} --draws {output.draws} {params.spectra}"
        " > {log} 2>&1"


use rule fit_probes as fit_frame_probes with:
    input:
        clips="results/stimuli/{stimuli}.parquet",
        activations="results/means/{model}/{point}/{stimuli}.h5",
        inputs="results/inputs/{model}/{stimuli}.h5",
        spectra=lambda wildcards: probed.spectra(config, wildcards.stimuli),
        intervals=lambda wildcards: probed.sheets_of_frames(
            config, wildcards.model, wildcards.stimuli
        ),
    output:
        rows="results/probes/{model}/{point}/frames/{stimuli}.parquet",
        draws="results/probes/{model}/{point}/frames/{stimuli}.draws.h5",
    log:
        "logs/fit_frame_probes/{model}/{point}/{stimuli}.log",
    benchmark:
        "results/benchmarks/fit_frame_probes/{model}/{point}/{stimuli}.tsv"
    params:
        tasks=lambda wildcards: probed.tasks_of_set(
            config, wildcards.model, wildcards.stimuli, frames=True
        ),
        frames=True,
        kinds=config["probes"]["kinds"],
        settings=probed.settings(config),
        spectra=given("spectra"),
        seed=config["seed"],
        code=code("fit_probes.py"),


rule finetune_layers:
    """Train the layers of a model above some for every task of a stimulus set."""
    input:
        weights=managed_weights,
        certificate=certificate,
        inputs="results/inputs/{model}/{stimuli}.h5",
        activations="results/activations/{model}/{point}/{stimuli}.h5",
        corrected=corrected,
        statistics=batch_norm_inputs,
    output:
        rows="results/finetuned/{model}/{point}/{stimuli}.parquet",
    log:
        "logs/finetune_layers/{model}/{point}/{stimuli}.log",
    benchmark:
        "results/benchmarks/finetune_layers/{model}/{point}/{stimuli}.tsv"
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
        recipe=recipe_json("finetune"),
        tasks=lambda wildcards: probed.tasks_of_set(
            config, wildcards.model, wildcards.stimuli, frames=False
        ),
        freezing=probed.freezing(config),
        probes=probed.settings(config),
        pool=config["activations"]["pool"],
        seed=config["seed"],
        code=code("finetune_layers.py", environment),
    shell:
        "rasen {params.env} finetune_layers.py --recipe {params.recipe:q} --inputs {input.inputs}"
        " --activations {input.activations} --tasks {params.tasks:q} --freezing {params.freezing:q}"
        " --probes {params.probes:q} --pool {params.pool} --seed {params.seed} --rows {output.rows}"
        " --model {wildcards.model} --device {resources.device} --gpus {resources.gpu}"
        " --batch {resources.batch} > {log} 2>&1"


rule gather_probes:
    """One table of all probes, with what each point has gained on the untrained one."""
    input:
        points="results/tables/points.parquet",
        rows=probed.per_probed_set(config, points, "{stimuli}.parquet"),
        draws=probed.per_probed_set(config, points, "{stimuli}.draws.h5"),
        finetuned=[
            f"results/finetuned/{model}/{point}/{stimuli}.parquet"
            for model, point, stimuli in FINETUNED
        ],
    output:
        table="results/tables/probes.parquet",
    log:
        "logs/gather_probes.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=code("gather_probes.py"),
    shell:
        "rasen core gather_probes.py --rows {input.rows} --draws {input.draws}"
        " --finetuned {input.finetuned} --points {input.points} --table {output.table} > {log} 2>&1"


rule plot_probes:
    """Figures of a model: profiles over layers, what choosing a layer is worth, concepts along routes."""
    input:
        table="results/tables/probes.parquet",
    output:
        profiles=report(
            "results/figures/probes/{model}/profiles.svg",
            caption="../workflow/report/probes-profiles.rst",
            category="Probes",
            labels={
                "model": "{model}",
                "figure": "What a probe reads from every layer",
            },
        ),
        choice=report(
            "results/figures/probes/{model}/choice.svg",
            caption="../workflow/report/probes-choice.rst",
            category="Probes",
            labels={"model": "{model}", "figure": "What choosing a layer is worth"},
        ),
        concepts=report(
            "results/figures/probes/{model}/concepts.svg",
            caption="../workflow/report/probes-concepts.rst",
            category="Probes",
            labels={"model": "{model}", "figure": "Which layer knows which concept"},
        ),
    log:
        "logs/plot_probes/{model}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        kind=config["probes"]["kinds"][0],
        point=lambda wildcards: probed.last_point(config, points, wildcards.model),
        code=code("plot_probes.py"),
    shell:
        "rasen core plot_probes.py --table {input.table} --model {wildcards.model}"
        " --kind {params.kind} --point {params.point} --profiles {output.profiles}"
        " --choice {output.choice} --concepts {output.concepts} > {log} 2>&1"


rule plot_freezing:
    """What training the layers above k is worth, for every k of a model's tasks."""
    input:
        table="results/tables/probes.parquet",
    output:
        figure=report(
            "results/figures/probes/{model}/freezing.svg",
            caption="../workflow/report/probes-freezing.rst",
            category="Probes",
            labels={
                "model": "{model}",
                "figure": "What training the upper layers is worth",
            },
        ),
    log:
        "logs/plot_freezing/{model}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("plot_freezing.py"),
    shell:
        "rasen core plot_freezing.py --table {input.table} --model {wildcards.model}"
        " --figure {output.figure} > {log} 2>&1"


rule probes:
    """Tables and figures of probes, similarity and the lens."""
    input:
        (
            "results/tables/probes.parquet"
            if any(m["probes"] for m in MODELS.values())
            else []
        ),
        [
            f"results/figures/probes/{name}/profiles.svg"
            for name, model in MODELS.items()
            if model["probes"]
        ],
        [
            f"results/figures/probes/{name}/freezing.svg"
            for name in dict.fromkeys(model for model, *_ in FINETUNED)
        ],
        [
            f"results/figures/probes/{name}/similarity-{measure}.svg"
            for name in probed.compared_models(config)
            for measure in SIMILARITY["measures"]
        ],
        ("results/tables/similarity.parquet" if probed.compared_models(config) else []),
        "results/tables/lens.parquet" if LENSED else [],
        [f"results/figures/lens/{name}.svg" for name in LENSED],
