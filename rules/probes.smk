# Probes: what each layer knows, read by linear models and small networks; how alike layers are.
#   needs    tasks.{task}, results/activations/{model}/{point}/{stimuli}.h5 of models with `probes: [task]`
#   makes    results/tables/{probes,similarity}.parquet    results/figures/probes/{model}/*.svg


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
            config["activations"] | {"pool": config["probes"]["frames"]}
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
        frames=config["probes"]["frames"],
        code=code("measure_spectra.py"),
    shell:
        "rasen core measure_spectra.py --clips {input.clips} --frames {params.frames}"
        " --spectra {output.spectra} > {log} 2>&1"


rule fit_probes:
    """Read every task of a stimulus set from every layer of a model at a point."""
    input:
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
        settings=json.dumps(PROBES),
        spectra=given("spectra"),
        seed=config["seed"],
        code=code("fit_probes.py"),
    shell:
        "rasen core fit_probes.py --activations {input.activations} --inputs {input.inputs}"
        " --tasks {params.tasks:q} --settings {params.settings:q} --seed {params.seed}"
        " --rows {output.rows} --draws {output.draws} {params.spectra} > {log} 2>&1"


use rule fit_probes as fit_frame_probes with:
    input:
        activations="results/means/{model}/{point}/{stimuli}.h5",
        inputs="results/inputs/{model}/{stimuli}.h5",
        spectra=lambda wildcards: probed.spectra(config, wildcards.stimuli),
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
        settings=json.dumps(PROBES),
        spectra=given("spectra"),
        seed=config["seed"],
        code=code("fit_probes.py"),
