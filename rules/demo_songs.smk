# Songs to try the tool with, made from shipped vocals, and small models in genuine formats.
#   needs    resources/songs (of the checkout)
#   makes    resources/datasets/demo-songs/    resources/models/demo-{muq,vae}/


rule make_demo_songs:
    """Two songs with known words and sections, and one that is cut short."""
    output:
        presence.DEMO_SONGS,
    log:
        "logs/make_demo_songs.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        source=ROOT / "resources/songs",
        code=code("make_demo_songs.py"),
    shell:
        "rasen core make_demo_songs.py --source {params.source:q} --songs {output} > {log} 2>&1"


rule make_demo_models:
    """A small MuQ and a small stable-audio VAE, their weights drawn at random."""
    output:
        muq="resources/models/demo-muq/model.safetensors",
        vae="resources/models/demo-vae/vae.safetensors",
    log:
        "logs/make_demo_models.log",
    conda:
        "../envs/songs.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=code("make_demo_models.py", "songs"),
    shell:
        "rasen songs make_demo_models.py --muq $(dirname {output.muq}) --vae $(dirname {output.vae})"
        " > {log} 2>&1"
