#!/usr/bin/env python3
"""Makes the layers of an OCI image layout plain tars, as they are in a layout of ours: the sandbox unpacks no others.

    uncompress.py LAYOUT

The digest of a plain layer must be the one that the image's configuration promises.
"""
import gzip, hashlib, json, os, shutil, sys

layout = sys.argv[1]
path = lambda digest: f"{layout}/blobs/{digest.replace(':', '/')}"


def put(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    with open(path(digest), "wb") as out:
        out.write(data)
    return {"digest": digest, "size": len(data)}


def plain(layer, promised):
    target = path(promised)
    if not os.path.exists(target):
        with gzip.open(path(layer["digest"])) as source, open(target + ".new", "wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        with open(target + ".new", "rb") as written:
            found = "sha256:" + hashlib.file_digest(written, "sha256").hexdigest()
        if found != promised:
            sys.exit(f"layer {layer['digest']}: expected {promised}, found {found}")
        os.rename(target + ".new", target)
    return {**layer, "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": promised, "size": os.path.getsize(target)}


index = json.load(open(f"{layout}/index.json"))
packed = set()
for image in index["manifests"]:
    manifest = json.load(open(path(image["digest"])))
    promised = json.load(open(path(manifest["config"]["digest"])))["rootfs"]["diff_ids"]
    packed.update(layer["digest"] for layer in manifest["layers"] if not layer["mediaType"].endswith(".tar"))
    manifest["layers"] = [layer if layer["mediaType"].endswith(".tar") else plain(layer, diff_id)
                          for layer, diff_id in zip(manifest["layers"], promised, strict=True)]
    image.update(put(json.dumps(manifest).encode()))
with open(f"{layout}/index.json", "w") as out:
    json.dump(index, out)
for digest in packed:
    os.remove(path(digest))
