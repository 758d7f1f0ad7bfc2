#!/usr/bin/env python3
"""Writes what an image is: one line for each entry of its file system, then its configuration.

    flatten.py oci LAYOUT NAME | flatten.py docker ARCHIVE

Layers are applied as the OCI image specification says. Times are left out: those of a build by another tool are its own.
"""
import gzip, hashlib, io, json, sys, tarfile


def oci(layout, name):
    def blob(descriptor):
        return open(f"{layout}/blobs/{descriptor['digest'].replace(':', '/')}", "rb").read()

    index = json.load(open(f"{layout}/index.json"))
    ref = "org.opencontainers.image.ref.name"
    found = [m for m in index["manifests"] if m.get("annotations", {}).get(ref) == name]
    manifest = json.loads(blob(found[0]))
    return json.loads(blob(manifest["config"])), [blob(layer) for layer in manifest["layers"]]


def docker(archive):
    tar = tarfile.open(archive)
    manifest = json.load(tar.extractfile("manifest.json"))[0]
    read = lambda name: tar.extractfile(name).read()
    return json.loads(read(manifest["Config"])), [read(layer) for layer in manifest["Layers"]]


def apply(tree, layer):
    if layer[:2] == b"\x1f\x8b":
        layer = gzip.decompress(layer)
    tar = tarfile.open(fileobj=io.BytesIO(layer))
    clean = lambda name: "/".join(part for part in name.split("/") if part not in ("", "."))
    members = [(clean(m.name), m) for m in tar]
    remove = lambda path: [tree.pop(p) for p in list(tree) if p == path or p.startswith(path + "/")]
    for path, _ in members:
        folder, _, last = path.rpartition("/")
        if last == ".wh..wh..opq":
            [tree.pop(p) for p in list(tree) if p.startswith(folder + "/")]
        elif last.startswith(".wh."):
            remove((folder + "/" if folder else "") + last[4:])
    for path, m in members:
        last = path.rpartition("/")[2]
        if not path or last.startswith(".wh."):
            continue
        if m.islnk():
            tree[path] = tree[clean(m.linkname)]
            continue
        kind = "d" if m.isdir() else "l" if m.issym() else "p" if m.isfifo() else "-" if m.isreg() else "c"
        if kind != "d" or not tree.get(path, {}).get("kind") == "d":
            remove(path)
        what = m.linkname if kind == "l" else ""
        if kind == "-":
            data = tar.extractfile(m).read()
            what = f"{len(data)} {hashlib.sha256(data).hexdigest()[:12]}"
        if kind == "c":
            what = f"{m.devmajor},{m.devminor}"
        mode = 0o777 if kind == "l" else m.mode & 0o7777
        xattrs = {k[13:]: v for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
        tree[path] = {"kind": kind, "mode": mode, "own": (m.uid, m.gid), "what": what, "xattrs": xattrs, "id": object()}


config, layers = oci(*sys.argv[2:]) if sys.argv[1] == "oci" else docker(*sys.argv[2:])
tree = {}
for layer in layers:
    apply(tree, layer)
names = {}
for path in sorted(tree):
    names.setdefault(id(tree[path]["id"]), []).append(path)
for path in sorted(tree):
    e = tree[path]
    same = names[id(e["id"])]
    twin = f" = {same[0]}" if len(same) > 1 and path != same[0] else ""
    xattrs = f" {sorted(e['xattrs'].items())}" if e["xattrs"] else ""
    print(f"{e['kind']}{e['mode']:04o} {e['own'][0]}:{e['own'][1]} {path!r} {e['what']}{twin}{xattrs}")
inner = config["config"]
for key in sorted(inner):
    # What each tool adds of its own, and what says nothing.
    if inner[key] in (None, "", "/", [], {}, False) or key in ("ArgsEscaped", "Image", "Hostname", "OnBuild"):
        continue
    labels = {k: v for k, v in inner[key].items() if not k.startswith("io.buildah")} if key == "Labels" else inner[key]
    if labels:
        print(f"config {key} {json.dumps(labels, sort_keys=True)}")
print("config platform", config["os"], config["architecture"])
