#!/usr/bin/env python3
"""Pushes built images to a real registry and pulls them again: plain, killed in the middle, with TLS of a private authority
and a password, with tokens.

    ci/registries.py [IMAGE...]      the images must be built; `base`, if none is named

It takes the registry of the Debian package docker-registry, which root may let it install. Without one it says so and ends.
Images of any origin are pushed, to registries of this run alone.
"""

import base64
import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
XTASK = ROOT / "target/debug/xtask"
ALLOW = ["--allow-release", "--allow-dirty"]
# bcrypt of `secret`, for registries that live as long as this script.
HTPASSWD = "me:$2b$05$G8x6X61YurYw4hinDUBAvOWxqA9slQBh33vgUeciwo/5cpRIAs2S6\n"


def say(text):
    print(f"== {text} ({time.monotonic() - BEGIN:.0f} s)", flush=True)


def registry_program():
    for path in [shutil.which("docker-registry"), "/usr/bin/docker-registry", os.environ.get("DOCKER_REGISTRY")]:
        if path and os.path.exists(path):
            return path
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing docker-registry")
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "docker-registry"]
        done = subprocess.run(install, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode == 0:
            return "/usr/bin/docker-registry"
        print(done.stderr.strip())
    return None


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def registry(program, work, extra=""):
    """A registry of its own folder; gives `host:port`."""
    port, folder = free_port(), Path(tempfile.mkdtemp(dir=work))
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http:\n  addr: 127.0.0.1:{port}\n{extra}"
    )
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None:
                sys.exit(f"the registry ended: {(folder / 'log').read_text()}")
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def xtask(*args, fails=False, **env):
    done = subprocess.run([XTASK, *args], cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True)
    if (done.returncode != 0) != fails:
        sys.exit(f"xtask {' '.join(args)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def push(target, *more, **env):
    return json.loads(xtask("push", target, *IMAGES, *ALLOW, "--json", *more, **env).stdout)


def check(what, good):
    if not good:
        sys.exit(f"failed: {what}")
    print(f"ok  {what}", flush=True)


def plain(program, work):
    with registry(program, work) as host:
        say("a first push")
        first = push(f"{host}/team")
        layers = first["layers"]
        rate = layers["bytes"] / first["seconds"] / 1e6
        print(f"    {layers['sent']} layers, {layers['bytes'] / 1e6:.0f} MB, {rate:.0f} MB/s, {layers['compressed']} compressed")
        again = push(f"{host}/again")
        print(f"    compressed already: {again['seconds']:.2f} s, {again['layers']['bytes'] / again['seconds'] / 1e6:.0f} MB/s")
        check("the same digests under another path", digests(first) == digests(again))
        second = push(f"{host}/team")
        check(f"a second push sends nothing, in {second['seconds']:.3f} s", second["layers"]["sent"] == 0)
        check("it takes under 1 s", second["seconds"] < 1)
        peers(host, first)
        killed(host, first)
        pulled(host, work)
        several_platforms(host)


def digests(pushed):
    return [image["digest"] for image in pushed["images"]]


class Gate:
    """A way to a registry that shuts when a client has said what `until` waits for, before the registry hears it."""

    def __init__(self, host, until):
        self.upstream, self.until = host.split(":"), until
        self.shut, self.opened = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.upstream)
                threading.Thread(target=self.forward, args=(client, server, self.until), daemon=True).start()
                threading.Thread(target=self.forward, args=(server, client, lambda data: False), daemon=True).start()

    def forward(self, source, sink, until):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if not self.opened.is_set() and until(data):
                    self.shut.set()
                    self.opened.wait()
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def killed(host, first):
    """kill -9 while a layer is sent; the next push goes on from there, if the registry lets it."""
    pieces, left = iter(range(2)), [48 << 20]

    def second_piece(data):
        return data.startswith(b"PATCH ") and next(pieces) == 1

    def inside_of_a_piece(data):
        left[0] -= len(data)
        return left[0] <= 0

    say("kill -9 between two pieces of a layer")
    resumed = push_killed(host, first, "between", second_piece)
    check(f"it went on where the first stood: {resumed / 1e6:.0f} MB were there", resumed == 32 << 20)
    say("kill -9 inside of a piece")
    # CNCF Distribution 2 keeps what it got of the piece, and then takes nothing more for this upload.
    resumed = push_killed(host, first, "inside", inside_of_a_piece)
    print(f"    {resumed / 1e6:.0f} MB were there")


def push_killed(host, first, path, until):
    """Kills a push at the moment `until`; how many bytes the next one did not have to send."""
    uploads = Path(os.environ["SPARK_IMAGES_CACHE"]) / "uploads"
    before = set(uploads.glob("*.json"))
    gate = Gate(host, until)
    command = [XTASK, "push", f"{gate.host}/{path}", IMAGES[0], *ALLOW]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not gate.shut.wait(0.1):
        if child.poll() is not None:
            sys.exit(f"the push ended too early: {child.stderr.read()}")
    child.kill()
    child.wait()
    gate.opened.set()
    check("an upload is remembered", set(uploads.glob("*.json")) - before)
    second = push(f"{gate.host}/{path}")
    check("the second push completes", digests(second) == digests(first))
    check("no upload is remembered", set(uploads.glob("*.json")) <= before)
    gate.listener.close()
    return second["layers"]["resumed_bytes"]


def pulled(host, work):
    say("a machine that has nothing built")
    out = {"SPARK_IMAGES_OUT": f"{work}/out"}
    xtask("pull", f"{host}/team", *IMAGES, **out)
    built = json.loads(xtask("build-layers", *IMAGES, "--offline", "--json", **out).stdout)
    check("after a pull there is nothing to build", all(image["result"]["state"] == "cached" for image in built))
    here = {image["image"]: image["digest"] for image in json.loads(xtask("list", "--json").stdout)}
    there = {image["image"]: image["digest"] for image in json.loads(xtask("list", "--json", **out).stdout) if image["digest"]}
    check("the digests are those that were built here", there and all(here[name] == there[name] for name in there))
    shutil.rmtree(f"{work}/out")


def peers(host, pushed):
    """What other clients say, where there are some."""
    for image in pushed["images"]:
        name = f"{image['repository']}:{image['tags'][0]['tag']}"
        if shutil.which("skopeo"):
            command = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{name}"]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
            check(f"skopeo sees the same digest of {name}", said == image["digest"])
        if shutil.which("crane"):
            done = subprocess.run(["crane", "validate", "--insecure", "--remote", name], capture_output=True, text=True)
            check(f"crane validates {name}", done.returncode == 0)


def several_platforms(host):
    say("for two processors, under one tag")
    both = ["--platform", "linux/amd64,linux/arm64"]
    xtask("build-layers", IMAGES[0], *both)
    first = json.loads(xtask("push", f"{host}/both", IMAGES[0], *both, *ALLOW, "--json").stdout)
    image = first["images"][0]
    name = image["repository"].split("/", 1)[1]
    request = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{image['tags'][0]['tag']}")
    request.add_header("accept", "application/vnd.oci.image.index.v1+json")
    with urllib.request.urlopen(request) as answer:
        index = json.load(answer)
        check("the tag is an index", answer.headers["docker-content-digest"] == image["tags_mean"])
    found = sorted(manifest["platform"]["architecture"] for manifest in index["manifests"])
    check("it holds both", found == ["amd64", "arm64"])
    second = json.loads(xtask("push", f"{host}/both", IMAGES[0], *both, *ALLOW, "--json").stdout)
    check(f"a second push sends nothing, in {second['seconds']:.3f} s", second["layers"]["sent"] == 0)


def certificates(work):
    """A private authority, and a certificate of it for 127.0.0.1."""
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    new = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    openssl("req", "-x509", *new, "-subj", "/CN=a private authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *new, "-subj", "/CN=127.0.0.1", "-keyout", "tls.key", "-out", "tls.csr")
    (work / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san"]
    openssl("x509", "-req", "-in", "tls.csr", *signed, "-out", "tls.pem")


def with_password(program, work):
    say("TLS of a private authority, and a password")
    (work / "htpasswd").write_text(HTPASSWD)
    extra = f"  tls: {{certificate: {work}/tls.pem, key: {work}/tls.key}}\n"
    extra += f"auth: {{htpasswd: {{realm: here, path: {work}/htpasswd}}}}\n"
    with registry(program, work, extra) as host:
        target, ca = f"https://{host}/team", {"SSL_CERT_FILE": f"{work}/ca.pem"}
        failed = xtask("push", target, *IMAGES, *ALLOW, fails=True).stderr
        check("an unknown authority is an error that says what to set", "SSL_CERT_FILE" in failed)
        none = {**ca, "DOCKER_CONFIG": f"{work}/nothing", "XDG_RUNTIME_DIR": f"{work}/nothing", "XDG_CONFIG_HOME": f"{work}/nothing"}
        failed = xtask("push", target, *IMAGES, *ALLOW, fails=True, **none).stderr
        check("without credentials it says how to log in", f"docker login {host}" in failed)
        docker = work / "docker"
        docker.mkdir()
        auth = base64.b64encode(b"me:secret").decode()
        (docker / "config.json").write_text(json.dumps({"auths": {f"https://{host}/v1/": {"auth": auth}}}))
        push(target, **ca, DOCKER_CONFIG=str(docker))
        second = push(target, **ca, DOCKER_CONFIG=str(docker))
        check(f"with Docker's credentials it is pushed; again in {second['seconds']:.3f} s", second["layers"]["sent"] == 0)


class Tokens(http.server.BaseHTTPRequestHandler):
    """Gives tokens to `me` for what is asked: <https://distribution.github.io/distribution/spec/auth/jwt/>."""

    work = None

    def do_GET(self):
        basic = base64.b64encode(b"me:secret").decode()
        if self.headers.get("authorization") != f"Basic {basic}":
            self.send_response(401)
            self.end_headers()
            return
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        claims = {"iss": "here", "sub": "me", "aud": query["service"][0], "exp": now + 300, "nbf": now - 5, "iat": now}
        claims |= {"jti": uuid.uuid4().hex, "access": access}
        pem = (self.work / "tls.pem").read_text()
        header = {"alg": "RS256", "typ": "JWT", "x5c": ["".join(pem.splitlines()[1:-1])]}
        encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
        text = b".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.work / "tls.key")]
        signed = subprocess.run(command, input=text, capture_output=True, check=True).stdout
        body = json.dumps({"token": (text + b"." + encode(signed)).decode(), "expires_in": 300}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def with_tokens(program, work):
    say("tokens")
    Tokens.work = work
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    realm = f"http://127.0.0.1:{server.server_port}/token"
    extra = f"auth: {{token: {{realm: '{realm}', service: here, issuer: here, rootcertbundle: {work}/ca.pem}}}}\n"
    with registry(program, work, extra) as host:
        auth = work / "auth.json"
        # Podman's form: a part of a registry may have credentials of its own.
        auth.write_text(json.dumps({"auths": {f"{host}/team": {"auth": base64.b64encode(b"me:secret").decode()}}}))
        first = push(f"{host}/team", REGISTRY_AUTH_FILE=str(auth))
        second = push(f"{host}/team", REGISTRY_AUTH_FILE=str(auth))
        check(f"with Podman's credentials it is pushed; again in {second['seconds']:.3f} s", second["layers"]["sent"] == 0)
        check("layers that images share were mounted", len(IMAGES) == 1 or first["layers"]["mounted"] > 0)
    server.shutdown()


def main():
    program = registry_program()
    if program is None:
        print("skipped: there is no docker-registry, and this user may not install one")
        return
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        plain(program, work)
        if not shutil.which("openssl"):
            print("skipped: TLS and tokens, since there is no openssl")
            return
        certificates(work)
        with_password(program, work)
        with_tokens(program, work)
    say("done")


if __name__ == "__main__":
    BEGIN = time.monotonic()
    IMAGES = sys.argv[1:] or ["base"]
    cache = os.environ.get("XDG_CACHE_HOME") or f"{os.environ['HOME']}/.cache"
    os.environ.setdefault("SPARK_IMAGES_CACHE", f"{cache}/spark-images")
    main()
