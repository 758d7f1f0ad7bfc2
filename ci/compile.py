#!/usr/bin/env python3
"""Compiles the small project in ci/compile/tree as `build-custom --source-dir` compiles Spark, and breaks it in every way.

    ci/compile.py            all of it; as root also a disk that is full, and a compile by another user
    SPARK_IMAGES_CACHE=DIR   a store that has fetched files already; Spark homes of the small project are made anew in it

Real Maven, real builder image; what Maven needs comes from this machine's registry the first time, later from a server of
this script that can misbehave. Needs target/debug/xtask.
"""
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
XTASK = ROOT / "target/debug/xtask"
SPARK = next(version for version in tomllib.loads((ROOT / "docker/versions.toml").read_text())["spark"] if version.startswith("3.5."))
VERSION = "3.5.99-SNAPSHOT"


def versions():
    table = tomllib.loads((ROOT / "docker/versions.toml").read_text())
    return table["versions"] | table["spark"][SPARK]["versions"] | {"scala": table["spark"][SPARK]["scala"], "version": VERSION}


def tree(folder, changes=()):
    """The project, with the table's versions filled in and (file, from, to) changed."""
    source = ROOT / "ci/compile/tree"
    for path in sorted(source.rglob("*")):
        target = folder / path.relative_to(source)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        text = re.sub(r"@([a-z0-9-]+)@", lambda name: versions()[name[1]], path.read_text())
        target.write_text(text)
        target.chmod(path.stat().st_mode & 0o755)
    (folder / "python/lib").mkdir(parents=True, exist_ok=True)
    (folder / "python/pyspark").mkdir(exist_ok=True)
    # As Spark's own trees: Python knows no snapshots.
    (folder / "python/pyspark/version.py").write_text(f'__version__: str = "{VERSION.replace("-SNAPSHOT", ".dev0")}"\n')
    (folder / f"python/lib/py4j-{versions()['py4j']}-src.zip").write_bytes(b"PK\5\6" + bytes(18))
    # A link that leads to itself is no reason to stop.
    (folder / "loop").symlink_to("loop")
    for name, old, new in changes:
        text = (folder / name).read_text()
        assert old in text, f"{old} is not in {name}"
        (folder / name).write_text(text.replace(old, new))
    return folder


class Machine:
    """A store, an output folder, and how xtask is called with them."""

    def __init__(self, work, name, store=None, prefix=()):
        self.folder = work / name
        self.folder.mkdir()
        self.store = store or self.folder / "cache"
        self.prefix = list(prefix)

    def env(self):
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "SPARK_IMAGES_CACHE": str(self.store),
            "SPARK_IMAGES_OUT": str(self.folder / "out"),
        } | {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or name.startswith("SSL_")}

    def start(self, *args, checkout=ROOT):
        return subprocess.Popen(
            [*self.prefix, str(XTASK), *map(str, args)], cwd=checkout, env=self.env(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )

    def run(self, *args, expect=0, checkout=ROOT):
        begin = time.monotonic()
        process = self.start(*args, checkout=checkout)
        output = process.communicate()[0]
        shown = " ".join(map(str, args))
        assert process.returncode == expect, f"{shown}\nexpected exit {expect}, found {process.returncode}\n{output}"
        print(f"    {shown} ({time.monotonic() - begin:.1f} s)", flush=True)
        return output

    def log(self):
        return self.folder / f"out/logs/compile-{VERSION}.log"

    def kept(self):
        notes = self.store.glob("spark-homes/*/compiled.json")
        return sorted(note.parent for note in notes if json.loads(note.read_text())["version"] == VERSION)


def says(output, *words):
    for text in words:
        assert text in output, f"expected {text!r} in\n{output}"


def running(machine):
    """Processes of this machine that are in a compile of this store."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if f"{machine.store}/compile/work/spark /compile/spark " in path.read_text():
                found.append(path.parent.name)
        except OSError:
            pass
    return found


def until(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


class Registry:
    """Serves a warm Maven repository as a registry does. `fault(path)` may name how one answer goes wrong."""

    def __init__(self, repository):
        registry = self
        self.fault = lambda path: None
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.asked.append(self.path)
                path = repository / self.path.removeprefix("/maven/")
                if path.name.startswith("maven-metadata.xml"):
                    path = path.with_name(path.name.replace("maven-metadata", "maven-metadata-central"))
                if not path.is_file():
                    return self.send_error(404)
                body, fault = path.read_bytes(), registry.fault(self.path)
                if fault == "checksum":
                    body = b"0" * 40
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if fault == "cut":
                    self.close_connection = True
                    body = body[: len(body) // 2]
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.flag = f"maven=http://127.0.0.1:{self.server.server_port}/maven"


def beside(work, name, store):
    """A machine with the fetched files of another, and an empty Maven repository."""
    machine = Machine(work, name)
    machine.store.mkdir()
    shutil.copytree(store / "artifacts", machine.store / "artifacts", copy_function=os.link)
    return machine


def image(machine, good):
    images = json.loads(machine.run("--source-dir", good, "list", "--json"))
    return next(image for image in images if image["id"] == "custom" and image["spark"] == SPARK)


def compiled_once(machine, good):
    output = machine.run("build-custom", "--source-dir", good)
    says(output, f"compiling Spark {VERSION}", "patch     docker/spark-custom/patches/", "-Phadoop-cloud", f"compiled  Spark {VERSION}", "module 2 of 5: Spark Project Core")
    custom = image(machine, good)
    assert re.fullmatch(rf"spark-k8s:{VERSION}-hadoop.*-src\.[0-9a-f]{{12}}", custom["image"]), custom
    assert custom["digest"], custom
    [kept] = machine.kept()
    note = json.loads((kept / "compiled.json").read_text())
    assert note["patches"] == ["0001-hadoop-cloud-without-huaweicloud.patch"], note
    jars = json.loads((kept / "files/jars.json").read_text())
    core = next(jar for path, jar in jars.items() if path.startswith("jars/spark-core_"))
    kafka = next(jar for path, jar in jars.items() if path.startswith("jars/kafka-clients-"))
    assert core["coordinate"].startswith("org.apache.spark:spark-core_"), core
    assert kafka["coordinate"] == f"org.apache.kafka:kafka-clients:{versions()['kafka-clients']}", kafka
    assert f"-Dhadoop.version={versions()['hadoop']}" in (kept / "files/RELEASE").read_text()
    layout = machine.folder / "out/images"
    index = json.loads((layout / "index.json").read_text())
    manifest = next(entry for entry in index["manifests"] if entry["annotations"]["org.opencontainers.image.ref.name"] == custom["image"])
    blob = lambda digest: json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
    labels = blob(blob(manifest["digest"])["config"]["digest"])["config"]["Labels"]
    assert labels["io.spark-images.origin"] == "source" and labels["io.spark-images.source"].startswith("source tree sha256:"), labels
    assert "@sha256:" in labels["io.spark-images.builder"] and "-Phadoop-cloud" in labels["io.spark-images.build-flags"], labels
    return custom


def again(machine, good):
    before = machine.log().stat().st_mtime_ns
    output = machine.run("build-custom", "--source-dir", good)
    assert "compiling" not in output and machine.log().stat().st_mtime_ns == before, output
    says(machine.run("build-custom", "--source-dir", good, "--recompile"), "the same as the one that is kept, byte for byte")


def another_table(work, machine, good):
    """A version of the table that goes into the image and not into the compile."""
    checkout = work / "checkout"
    shutil.copytree(ROOT / "docker", checkout / "docker", symlinks=True)
    table = checkout / "docker/versions.toml"
    py4j = versions()["py4j"]
    table.write_text(table.read_text().replace(f'py4j = "{py4j}"', 'py4j = "0.10.9.1"'))
    output = machine.run("build-custom", "--source-dir", good, expect=1, checkout=checkout)
    says(output, "is not what docker/versions.toml says", "py4j-0.10.9.1", f"py4j-{py4j}")
    assert "compiling" not in output, output


def vendored(work, machine, good, custom):
    file = work / "vendor.tar"
    machine.run("--source-dir", good, "vendor", "-o", file)
    other = Machine(work, "no-network")
    other.run("vendor", "--in", file)
    says(other.run("build-custom", "--source-dir", good, "--offline"), f"compiled  Spark {VERSION}")
    assert image(other, good)["digest"] == custom["digest"]
    # The distribution itself is carried by a bundle: nothing is compiled then.
    bundle, third = work / "bundle.tar", Machine(work, "bundled")
    machine.run("--source-dir", good, "bundle", "--out", bundle, "custom", "--spark", SPARK)
    third.run("bundle", "--in", bundle)
    bundle.unlink()
    output = third.run("build-layers", "--source-dir", good, "custom", "--spark", SPARK, "--offline")
    assert "compiling" not in output and image(third, good)["digest"] == custom["digest"], output
    half = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(half)
    says(Machine(work, "half").run("vendor", "--in", file, expect=1), "error: reading")
    file.unlink()


def failures(work, machine):
    broken = tree(work / "broken", [("core/src/main/java/org/apache/spark/Core.java", "return 42;", "return 42")])
    output = machine.run("build-custom", "--source-dir", broken, expect=1)
    says(output, "Spark Project Core failed", "Core.java", "';' expected", f"compile-{VERSION}.log", "to compile again: cargo xtask build-custom --source-dir")
    assert re.match(r"0:0\d:\d\d ", machine.log().read_text())
    unlike = tree(work / "unlike", [("hadoop-cloud/pom.xml", "org.jacoco.agent", "another.agent")])
    says(machine.run("build-custom", "--source-dir", unlike, expect=1), "0001-hadoop-cloud-without-huaweicloud.patch")
    other = tree(work / "other", [("dev/make-distribution.sh", "empty \"spark-${module}", "empty \"snark-${module}")])
    says(machine.run("build-custom", "--source-dir", other, expect=1), "is not what docker/versions.toml says", "jars/spark-hive_", "it lies in")
    assert len(machine.kept()) == 1


def registries(work, machine, good):
    registry = Registry(machine.store / "compile/m2")
    other = beside(work, "misbehaving", machine.store)
    command = ("--registry", registry.flag, "build-custom", "--source-dir", good)
    jar = lambda path: path.endswith(".jar") and "kafka-clients" in path
    registry.fault = lambda path: "cut" if jar(path) else None
    says(other.run(*command, expect=1), "kafka-clients")
    registry.fault = lambda path: "checksum" if jar(path.removesuffix(".sha1")) and path.endswith(".sha1") else None
    says(other.run(*command, expect=1), "hecksum")
    assert not other.kept()
    registry.fault, registry.asked = lambda path: None, []
    other.run(*command)
    # What was whole before the line was cut is not fetched again.
    assert any(jar(path) for path in registry.asked) and not any("maven-compiler-plugin" in path for path in registry.asked), registry.asked
    registry.server.shutdown()


def broken_off(work, machine):
    for ending in (signal.SIGINT, signal.SIGKILL):
        source = tree(work / f"off-{ending}", [("core/src/main/java/org/apache/spark/Core.java", "42", str(100 + ending))])
        before = machine.kept()
        machine.log().unlink(missing_ok=True)
        process = machine.start("build-custom", "--source-dir", source)
        until(lambda: machine.log().exists() and "Building with..." in machine.log().read_text(), "the compile to begin")
        assert running(machine)
        process.send_signal(ending)
        output = process.communicate()[0]
        until(lambda: not running(machine), "Maven to end", 10)
        assert machine.kept() == before
        if ending == signal.SIGINT:
            assert process.returncode == 130, (process.returncode, output)
            says(output, "was interrupted", "to begin again: cargo xtask build-custom --source-dir")
        else:
            says(machine.run("build-custom", "--source-dir", source), f"compiled  Spark {VERSION}")


def full_disk(work, machine):
    source = tree(work / "full", [("core/src/main/java/org/apache/spark/Core.java", "42", "7")])
    other = beside(work, "full-disk", machine.store)
    (other.store / "compile").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", other.store / "compile"], check=True)
    try:
        says(other.run("build-custom", "--source-dir", source, expect=1), "o space left on device")
        assert not other.kept()
    finally:
        subprocess.run(["umount", other.store / "compile"], check=True)


def as_another_user(work, machine, good, custom):
    other = beside(work, "nobody", machine.store)
    shutil.copytree(machine.store / "compile/m2", other.store / "compile/m2")
    for path in [other.folder, *other.folder.rglob("*")]:
        if "artifacts" not in path.parts or path.is_dir():
            os.chown(path, 65534, 65534)
    program = work / "xtask"
    shutil.copy(XTASK, program)
    other.prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    says(other.run("build-custom", "--source-dir", good), f"compiled  Spark {VERSION}")
    assert image(other, good)["digest"] == custom["digest"], "another user compiled something else"


def main():
    with tempfile.TemporaryDirectory(prefix="spark-images-compile-") as folder:
        work = pathlib.Path(folder)
        work.chmod(0o755)
        store = os.environ.get("SPARK_IMAGES_CACHE")
        machine = Machine(work, "machine", pathlib.Path(store) if store else None)
        for home in machine.kept():
            shutil.rmtree(home)
        good = tree(work / "good")
        steps = [
            ("compiled once, with everything that is promised", lambda: compiled_once(machine, good)),
            ("not compiled again; compiled again on purpose, it is the same", lambda: again(machine, good)),
            ("what is kept is checked against a table that has changed", lambda: another_table(work, machine, good)),
            ("compiled without a network", lambda: vendored(work, machine, good, custom)),
            ("failures say what, where and what to do", lambda: failures(work, machine)),
            ("a registry that misbehaves", lambda: registries(work, machine, good)),
            ("broken off", lambda: broken_off(work, machine)),
        ]
        if os.geteuid() == 0:
            steps += [
                ("a full disk", lambda: full_disk(work, machine)),
                ("another user", lambda: as_another_user(work, machine, good, custom)),
            ]
        for name, step in steps:
            print(f"{name}", flush=True)
            result = step()
            custom = result or custom
        print(f"{len(steps)} passed, 0 failed")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"not as expected: {error}")
