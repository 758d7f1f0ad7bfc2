#!/usr/bin/env python3
"""Makes the folder that the Dockerfiles in `files/` copy from: names, links and archives that git keeps badly.

    context.py FOLDER
"""
import bz2, gzip, io, lzma, os, subprocess, sys, tarfile, zipfile

os.umask(0o022)
os.makedirs(sys.argv[1])
os.chdir(sys.argv[1])


def file(path, text, mode=0o644):
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)


for path in ("a.txt", "b.txt", "dir/f", "dir/sub/deep", "other-dir/f", "other-dir/g", "jars/x-1.jar", "jars/y-2.jar",
             "jars/readme", ".hidden", ".env", "#hash", "-dash", "$dollar", "[odd].txt", "unié.txt", "名前", "odd/back\\slash",
             "odd/star*", "odd/quote\"s", "odd/tab\there", "odd/new\nline", "with space/file one", "nested/one/two/x",
             "nested/two/three/x", "nested/keep", "conflict/file", "clash/f/inside", "long/" + "n" * 255,
             "long/" + "/".join(["folder-with-a-name"] * 14) + "/x", "links/real"):
    file(path, f"{path}\n")
file("run.sh", "#!/bin/sh\n", 0o755)
file("dir/exec", "#!/bin/sh\n", 0o755)
file("empty", "")
os.makedirs("empty-folder")
for path, target in {"linkdir": "dir", "dir/link": "f", "links/to-file": "real", "links/to-folder": "../dir",
                     "links/dangling": "nowhere", "links/absolute": "/etc/passwd", "links/circle": "circle",
                     "out": "../../../../../etc/passwd"}.items():
    os.symlink(target, path)


def tar(*entries, format=tarfile.GNU_FORMAT):
    """A tar of (name, type, content or target, changes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, kind, content, *changes in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.mode = {tarfile.DIRTYPE: 0o755, tarfile.SYMTYPE: 0o777}.get(kind, 0o644)
            info.mtime = 1000000000
            data = content.encode() if kind == tarfile.REGTYPE else b""
            info.size = len(data)
            info.linkname = content if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            for key, value in (changes[0] if changes else {}).items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


F, D, L, H = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
plain = tar(("d/", D, "", {"mode": 0o750}), ("d/f", F, "f"), ("./dotted", F, "x"), ("l", L, "d/f"), ("no/folder/f", F, "y"),
            ("d/twice", F, "first"), ("d/twice", F, "second"))
file("plain.tar", plain)
file("plain.tar.gz", gzip.compress(plain, mtime=0))
file("plain.tar.xz", lzma.compress(plain))
file("plain.tar.bz2", bz2.compress(plain))
file("plain.tar.zst", subprocess.run(["zstd", "-qc"], input=plain, stdout=subprocess.PIPE, check=True).stdout)
file("archive-without-suffix", gzip.compress(plain, mtime=0))
file("archives/plain.tar", plain)
inner = io.BytesIO()
with tarfile.open(fileobj=inner, mode="w", format=tarfile.GNU_FORMAT) as archive:
    for name, data in {"inner.tar": plain, "inner.tar.gz": gzip.compress(plain, mtime=0)}.items():
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
file("nested.tar", inner.getvalue())
file("not.tar", "no archive\n")
file("empty.tar.gz", gzip.compress(tar(), mtime=0))
file("text.gz", gzip.compress(b"no archive in here\n", mtime=0))
with zipfile.ZipFile("data.zip", "w") as archive:
    archive.writestr(zipfile.ZipInfo("x"), "x")
own = lambda uid, gid, mode=0o644: {"uid": uid, "gid": gid, "mode": mode}
file("owners.tar", tar(
    ("d/", D, "", own(185, 0, 0o2775)), ("d/f", F, "x", own(185, 185, 0o4755)), ("d/g", F, "x", own(0, 700, 0o2711)),
    ("s/", D, "", own(0, 0, 0o1777)), ("closed", F, "x", own(1, 2, 0)), ("big", F, "x", own(2000000, 3000000)),
    ("h", H, "d/f"), ("l", L, "d/f", own(5, 6)), ("named", F, "x", {"uname": "spark", "gname": "extra", "uid": 9, "gid": 9})))
file("ways.tar", tar(
    ("opt/real/", D, ""), ("abs", L, "/opt/real"), ("rel", L, "opt/real"), ("opt/up", L, ".."), ("up", L, "opt/up/old"),
    ("target", F, "was here"), ("filelink", L, "target"), ("dangling", L, "not-yet"), ("dangling2", L, "/not/yet2"),
    ("dangling3", L, "not-yet3"), ("chain", L, "chain2"), ("chain2", L, "/abs"), ("replaced", L, "old")))
file("over.tar", tar(
    ("old/a", F, "file over file"), ("old/sub", F, "file over folder"), ("old/b/", D, "", {"mode": 0o700}), ("old/b/in", F, "x"),
    ("twin/1", L, "2"), ("abs/through", F, "through a link"), ("filelink", F, "over a link"), ("rel", D, "", {"mode": 0o711})))
file("paths.tar", tar(
    ("./", D, "", {"mode": 0o700, "uid": 7}), ("./a", F, "x"), ("b//c", F, "x"), ("/absolute", F, "x"), ("d/./e", F, "x"),
    ("f/", D, ""), ("unié/名前", F, "x"), ("sp ace", F, "x"), ("back\\slash", F, "x")))
file("long.tar", tar(("n" * 255, F, "x"), ("/".join(["folder-with-a-name"] * 14), F, "x"), ("l", L, "t" * 300),
                     format=tarfile.PAX_FORMAT) )
file("xattrs.tar", tar(
    ("capable", F, "x", {"pax_headers": {"SCHILY.xattr.user.colour": "red",
                                         "SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x04\x00\x00" + "\x00" * 12}}),
    format=tarfile.PAX_FORMAT))
file("out.tar", tar(("esc", L, "../../../../etc"), ("esc/made", F, "x"), ("up", L, ".."), ("up/beside", F, "x")))
file("special.tar", tar(("pipe", tarfile.FIFOTYPE, ""), ("null", tarfile.CHRTYPE, "", {"devmajor": 1, "devminor": 3})))
