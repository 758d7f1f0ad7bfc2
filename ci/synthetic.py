#!/usr/bin/env python3
"""Writes a checkout whose table gives many images: 100 Spark versions, each with as many kinds of images as are asked for.

  ci/synthetic.py FOLDER KINDS

A kind stands on up to three others. Each has a Dockerfile, a folder that is staged and a jar. The lock has digests of
nothing: such a checkout can be planned, not built.
"""

import hashlib
import pathlib
import sys

SPARKS = 100

root, kinds = pathlib.Path(sys.argv[1]), int(sys.argv[2])
docker = root / "docker"
lines = """epoch = 2026-01-31T00:00:00Z
origin = "release"
platforms = ["linux/amd64"]
[debian]
suites = ["bookworm"]
components = ["main"]
python = "3.11"
glibc = "2.36"
[release.take]
"deps/jars" = "jars"
[ci]
job-minutes = 3
megabytes-per-second = 20
smoke-seconds = 20
compile-minutes = 90
[ci.github]
jobs-per-matrix = 256
output-bytes = 10_000_000
[ci.github.runners]
"linux/amd64" = ["ubuntu-24.04"]
[ci.gitlab]
needs-per-job = 50
jobs-per-pipeline = 500
yaml-bytes = 1_048_576
image = "rust:1"
[ci.gitlab.runners]
"linux/amd64" = []
""".splitlines()
for patch in range(SPARKS):
    lines += [f'[spark."3.5.{patch}"]', 'scala = "2.12"']
docker.mkdir(parents=True)
(docker / "versions.toml").write_text("\n".join(lines) + "\n")
for kind in range(kinds):
    folder = docker / f"kind-{kind:03}"
    (folder / "rootfs").mkdir(parents=True)
    (folder / "rootfs" / "file").write_text(f"{kind}\n")
    parents = sorted({kind // 2, kind // 3, kind - 1} - {kind}) if kind else []
    text = [f'name = "kind-{kind:03}"', f'about = "kind {kind} for Spark {{spark}}"', 'per = "spark"', 'tags = ["{spark}"]']
    if parents:
        text += ["[parents]"] + [f'P{parent} = "kind-{parent:03}"' for parent in parents if parent >= 0]
    text += ["[[stage]]", 'into = "jars/"', f'maven = ["org.example:library-{kind}:1.0"]']
    text += ["[[stage]]", 'into = "rootfs/"', 'folder = "rootfs"', "[[smoke]]", 'checks = ["spark_home"]']
    (folder / "image.toml").write_text("\n".join(text) + "\n")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY rootfs/ /\n")
# Keys of the requests, which are what is asked: see xtask/crates/catalog/src/request.rs.
jars = [f"maven:org.example:library-{kind}:1.0" for kind in range(kinds)]
keys = sorted(jars + [f"sdist pyspark==3.5.{patch}" for patch in range(SPARKS)])
lock = ["format = 1", f'requests = "sha256:{hashlib.sha256(chr(10).join(keys).encode()).hexdigest()}"']
for jar in sorted(jars):
    lock += ["[[artifact]]", f'id = "{jar}"', "size = 1000000"]
    lock.append(f'sha256 = "sha256:{hashlib.sha256(jar.encode()).hexdigest()}"')
(docker / "versions.lock").write_text("\n".join(lock) + "\n")
