#!/usr/bin/env python3
"""Looks at every ELF file of every image of an OCI layout, and fails if one is for another processor than the image.

    ci/platforms.py target/spark-images/images [--jars]

With --jars it also looks into the jars, which carry the code of several processors: it names those that have code for
Linux, and none for the image's processor. What such a jar does in native code does not work there.
"""

import io
import json
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

MACHINES = {3: "386", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64"}
INDEX = "application/vnd.oci.image.index.v1+json"


def machine(head):
    """The processor of an ELF file for Linux, by its first 20 bytes; nothing for other files."""
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return None
    number = struct.unpack("<H" if head[5] == 1 else ">H", head[18:20])[0]
    return MACHINES.get(number, str(number))


def in_jar(data):
    found = set()
    with zipfile.ZipFile(io.BytesIO(data)) as jar:
        for entry in jar.infolist():
            if entry.file_size >= 20 and not entry.filename.endswith((".class", ".properties", "/")):
                with jar.open(entry) as file:
                    found.add(machine(file.read(20)))
    return found - {None}


def layer(path, jars):
    """By processor the ELF files of a layer; by jar the processors it has code for."""
    elves, natives = {}, {}
    with tarfile.open(path) as tar:
        for entry in tar:
            if not entry.isreg() or entry.size < 20:
                continue
            file = tar.extractfile(entry)
            kind = machine(file.read(20))
            if kind:
                elves.setdefault(kind, []).append(entry.name)
            elif jars and entry.name.endswith(".jar"):
                file.seek(0)
                found = in_jar(file.read())
                if found:
                    natives[entry.name] = found
    return elves, natives


def main():
    root, jars = Path(sys.argv[1]), "--jars" in sys.argv[2:]

    def blob(descriptor):
        return root / "blobs/sha256" / descriptor["digest"].split(":")[1]

    def document(descriptor):
        return json.loads(blob(descriptor).read_text())

    images = {}
    for named in json.loads((root / "index.json").read_text())["manifests"]:
        name = named.get("annotations", {}).get("org.opencontainers.image.ref.name", named["digest"])
        for image in document(named)["manifests"] if named["mediaType"] == INDEX else [named]:
            images.setdefault(image["digest"], (name, image))
    seen, wrong, counted = {}, 0, {}
    for name, image in images.values():
        manifest = document(image)
        processor = document(manifest["config"])["architecture"]
        number = 0
        for one in manifest["layers"]:
            if one["digest"] not in seen:
                seen[one["digest"]] = layer(blob(one), jars)
            elves, natives = seen[one["digest"]]
            number += len(elves.get(processor, []))
            for kind, paths in elves.items():
                if kind != processor:
                    wrong += len(paths)
                    print(f"WRONG  {name} is for {processor}, and holds {len(paths)} files for {kind}: {paths[0]} ...")
            for path, kinds in natives.items():
                if processor not in kinds:
                    counted.setdefault((processor, path), kinds)
        print(f"ok     {name} {processor}: {number} ELF files")
    for (processor, path), kinds in sorted(counted.items()):
        print(f"note   {path} has native code for {', '.join(sorted(kinds))}, none for {processor}")
    print(f"{len(images)} images, {len(seen)} layers, {wrong} files for another processor")
    return 1 if wrong or not images else 0


if __name__ == "__main__":
    sys.exit(main())
