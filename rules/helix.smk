# Helix: do notes lie on a helix of pitch, layer by layer, with one turn per octave?
#   needs    results/activations/{model}/{point}/{notes}.h5 of models with `helix: {notes}`, one set or several
#   makes    results/tables/{helix,helix_differences,helix_slopes,helix_peaks,helix_notes,helix_curves}.parquet
#            results/figures/helix/{model}/*.svg


rule fit_helix:
    """Fit the pitch helix to every layer of a model at a point, for each of its sets of notes."""
    input:
        activations=of_notes("results/activations/{model}/{point}/{stimuli}.h5"),
        loudness="results/helix/{model}/loudness.parquet",
    output:
        rows="results/helix/{model}/{point}.parquet",
        notes="results/helix/{model}/{point}.notes.parquet",
    log:
        "logs/fit_helix/{model}/{point}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        stimuli=of_notes("{stimuli}"),
        settings=settings("helix"),
        seed=config["seed"],
        code=code("fit_helix.py"),
    shell:
        "rasen core fit_helix.py --activations {input.activations} --stimuli {params.stimuli}"
        " --loudness {input.loudness} --model {wildcards.model}"
        " --point {wildcards.point} --settings {params.settings:q} --seed {params.seed}"
        " --rows {output.rows} --notes {output.notes} > {log} 2>&1"


rule fit_baselines:
    """Fit the helix to features without a network, spectra and codec tokens; measure the notes' loudness."""
    input:
        clips=of_notes("results/stimuli/{stimuli}.parquet"),
        inputs=of_notes("results/inputs/{model}/{stimuli}.h5"),
    output:
        rows="results/helix/{model}/baselines.parquet",
        loudness="results/helix/{model}/loudness.parquet",
        notes="results/helix/{model}/baselines.notes.parquet",
    log:
        "logs/fit_baselines/{model}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        stimuli=of_notes("{stimuli}"),
        settings=settings("helix"),
        seed=config["seed"],
        code=code("fit_baselines.py"),
    shell:
        "rasen core fit_baselines.py --clips {input.clips} --inputs {input.inputs}"
        " --stimuli {params.stimuli} --model {wildcards.model} --settings {params.settings:q} --seed {params.seed}"
        " --rows {output.rows} --loudness {output.loudness} --notes {output.notes} > {log} 2>&1"


rule gather_helix:
    """One table of all helix fits, with random, smooth and spectral baselines."""
    input:
        points="results/tables/points.parquet",
        fits=per_point("results/helix/{model}/{point}.parquet", "helix"),
        baselines=[
            f"results/helix/{name}/baselines.parquet"
            for name, model in MODELS.items()
            if model["helix"]
        ],
    output:
        table="results/tables/helix.parquet",
        differences="results/tables/helix_differences.parquet",
        slopes="results/tables/helix_slopes.parquet",
        peaks="results/tables/helix_peaks.parquet",
    log:
        "logs/gather_helix.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings=settings("helix"),
        seed=config["seed"],
        code=code("gather_helix.py"),
    shell:
        "rasen core gather_helix.py --fits {input.fits} --baselines {input.baselines}"
        " --points {input.points} --settings {params.settings:q} --seed {params.seed}"
        " --table {output.table} --differences {output.differences}"
        " --slopes {output.slopes} --peaks {output.peaks} > {log} 2>&1"


rule align_helix:
    """The notes and curves of all helices, those of a route turned and mirrored alike."""
    input:
        points="results/tables/points.parquet",
        fits=per_point("results/helix/{model}/{point}.notes.parquet", "helix"),
        baselines=[
            f"results/helix/{name}/baselines.notes.parquet"
            for name, model in MODELS.items()
            if model["helix"]
        ],
    output:
        notes="results/tables/helix_notes.parquet",
        curves="results/tables/helix_curves.parquet",
    log:
        "logs/align_helix.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=code("align_helix.py"),
    shell:
        "rasen core align_helix.py --fits {input.fits} --baselines {input.baselines}"
        " --points {input.points} --notes {output.notes} --curves {output.curves} > {log} 2>&1"


rule plot_helix:
    """Figures of Helicality along a model's routes and across its layers, and of the fitted helix.

    Of the first set of notes; the tables have them all.
    """
    input:
        table="results/tables/helix.parquet",
        notes="results/tables/helix_notes.parquet",
        curves="results/tables/helix_curves.parquet",
    output:
        alpha=report(
            "results/figures/helix/{model}/alpha.svg",
            caption="../workflow/report/helix-alpha.rst",
            category="Helix",
            labels={
                "model": "{model}",
                "figure": "Helicality along the straight line",
            },
        ),
        routes=report(
            "results/figures/helix/{model}/routes.svg",
            caption="../workflow/report/helix-routes.rst",
            category="Helix",
            labels={"model": "{model}", "figure": "Helicality along every route"},
        ),
        layers=report(
            "results/figures/helix/{model}/layers.svg",
            caption="../workflow/report/helix-layers.rst",
            category="Helix",
            labels={"model": "{model}", "figure": "Helicality by layer and point"},
        ),
        curves=report(
            "results/figures/helix/{model}/curves.svg",
            caption="../workflow/report/helix-curves.rst",
            category="Helix",
            labels={"model": "{model}", "figure": "The notes and their helix"},
        ),
    log:
        "logs/plot_helix/{model}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stimuli=lambda wildcards: targets.stimulus_sets(
            MODELS[wildcards.model], "helix"
        )[0],
        code=code("plot_helix.py"),
    shell:
        "rasen core plot_helix.py --table {input.table} --notes {input.notes} --curves {input.curves}"
        " --model {wildcards.model} --stimuli {params.stimuli} --alpha {output.alpha} --routes {output.routes}"
        " --layers {output.layers} --picture {output.curves} > {log} 2>&1"


rule helix:
    """The table and figures of the pitch helix."""
    input:
        (
            [rules.gather_helix.output, rules.align_helix.output]
            if any(m["helix"] for m in MODELS.values())
            else []
        ),
        [
            f"results/figures/helix/{name}/alpha.svg"
            for name, model in MODELS.items()
            if model["helix"]
        ],
