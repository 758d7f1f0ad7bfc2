#!/usr/bin/env python3
"""Writes what an image is: one line for each entry of its file system, then its configuration and its history.

    flatten.py oci LAYOUT NAME | flatten.py docker ARCHIVE      [--without-history]

LAYOUT is a folder, and NAME may be `-` for the only image in it. Layers are applied as the OCI image specification says.
Times are left out: those of a build by another tool are its own.
"""
import gzip, hashlib, io, json, sys, tarfile


def oci(layout, name):
    path = lambda descriptor: f"{layout}/blobs/{descriptor['digest'].replace(':', '/')}"
    load = lambda descriptor: json.load(open(path(descriptor)))
    ref = "org.opencontainers.image.ref.name"
    found = [m for m in json.load(open(f"{layout}/index.json"))["manifests"]
             if name == "-" or m.get("annotations", {}).get(ref) == name]
    while "manifests" in (manifest := load(found[0])):
        found = [m for m in manifest["manifests"] if m.get("platform", {}).get("os") != "unknown"]
    return load(manifest["config"]), [open(path(layer), "rb") for layer in manifest["layers"] or []]


def docker(archive):
    tar = tarfile.open(archive)
    manifest = json.load(tar.extractfile("manifest.json"))[0]
    return json.load(tar.extractfile(manifest["Config"])), [tar.extractfile(layer) for layer in manifest["Layers"] or []]


def apply(tree, layer):
    zipped = layer.read(2) == b"\x1f\x8b"
    layer.seek(0)
    tar = tarfile.open(fileobj=gzip.open(layer) if zipped else layer)
    clean = lambda name: "/".join(part for part in name.split("/") if part not in ("", "."))
    new = {}
    for m in tar:
        path = clean(m.name)
        folder, _, last = path.rpartition("/")
        if last == ".wh..wh..opq":
            remove(tree, folder, itself=False)
        elif last.startswith(".wh."):
            remove(tree, (folder + "/" if folder else "") + last[4:])
        elif m.islnk():
            target = clean(m.linkname)
            new[path] = new.get(target) or tree[target]
        elif path:
            new[path] = entry(tar, m)
    for path, node in new.items():
        if path in tree and not (node["kind"] == tree[path]["kind"] == "d"):
            remove(tree, path)
        tree[path] = node


def remove(tree, path, itself=True):
    # Most paths that are replaced are files.
    if itself and path in tree and tree[path]["kind"] != "d":
        del tree[path]
    else:
        for p in [p for p in tree if p.startswith(path + "/") or (itself and p == path)]:
            del tree[p]


def entry(tar, m):
    kind = "d" if m.isdir() else "l" if m.issym() else "p" if m.isfifo() else "-" if m.isreg() else "c"
    what = m.linkname if kind == "l" else ""
    if kind == "-":
        digest, data = hashlib.sha256(), tar.extractfile(m)
        while block := data.read(1 << 20):
            digest.update(block)
        what = f"{m.size} {digest.hexdigest()[:12]}"
    if kind == "c":
        what = f"{m.devmajor},{m.devminor}"
    mode = 0o777 if kind == "l" else m.mode & 0o7777
    xattrs = {k[13:]: v for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
    return {"kind": kind, "mode": mode, "own": (m.uid, m.gid), "what": what, "xattrs": xattrs}


args = [arg for arg in sys.argv[1:] if arg != "--without-history"]
config, layers = oci(*args[1:]) if args[0] == "oci" else docker(*args[1:])
tree = {}
for layer in layers:
    apply(tree, layer)
names = {}
for path in sorted(tree):
    names.setdefault(id(tree[path]), []).append(path)
for path in sorted(tree):
    e = tree[path]
    same = names[id(e)]
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
if "--without-history" not in sys.argv:
    for step in config.get("history", []):
        # BuildKit signs what it made.
        text = step.get("created_by", "").removesuffix(" # buildkit")
        print("history", "-" if step.get("empty_layer") else "+", text)
