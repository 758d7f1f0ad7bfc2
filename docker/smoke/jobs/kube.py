"""A Kubernetes API that keeps what it is asked to create, and starts the pods it is given as processes beside it.

Only what Spark asks for is there: create, read, list, watch, patch and delete of any kind of object in a namespace. A
pod's container is run as its kubelet would run it in this image: the entrypoint with the pod's arguments, the pod's
environment, its ConfigMap written where it is mounted. Names of services resolve to the loopback address.
"""

import copy
import json
import os
import queue
import re
import subprocess
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What the entrypoint of this job's own container has set: a pod's container begins without it.
SET_BY_ENTRYPOINT = ("LD_PRELOAD", "NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP", "SPARK_CONF_DIR", "SPARK_DIST_CLASSPATH",
                     "SPARK_IMAGE_CONF_DIR", "SPARK_LOCAL_IP", "SPARK_SUBMIT_OPTS")
PATH = re.compile(r"/api(?:s/[^/]+)?/v1[^/]*/namespaces/(?P<space>[^/]+)/(?P<kind>[^/]+)(?:/(?P<name>[^/]+))?")


class Kube:
    """The API, its objects by (kind, name), the requests that created them, and the processes of its pods."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.RLock()
        self.objects = {}
        self.created = []
        self.processes = {}
        self.watchers = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.kube = self
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def create(self, kind, space, body):
        with self.lock:
            self.created.append((kind, copy.deepcopy(body)))
            meta = body.setdefault("metadata", {})
            meta.update(uid=f"uid-{len(self.created)}", namespace=space, resourceVersion=str(len(self.created)),
                        creationTimestamp="2026-01-01T00:00:00Z")
            if kind == "pods":
                body["status"] = status("Running")
            self.objects[kind, meta["name"]] = body
            self.tell("ADDED", kind, body)
            return body

    def delete(self, kind, name):
        with self.lock:
            self.tell("DELETED", kind, self.objects.pop((kind, name)))

    def tell(self, event, kind, body):
        """Those who watch this kind are told."""
        for watched, told in self.watchers:
            if watched == kind:
                told.put(copy.deepcopy({"type": event, "object": body}))

    def pods(self, role):
        """The pods that were asked for, in that order."""
        with self.lock:
            pods = [body for kind, body in self.created if kind == "pods"]
        return [pod for pod in pods if pod["metadata"]["labels"].get("spark-role") == role]

    def start(self, pod):
        """Runs a pod's container; the log is the pod's name."""
        name = pod["metadata"]["name"]
        (container,) = pod["spec"]["containers"]
        env = {key: value for key, value in os.environ.items()
               if key not in SET_BY_ENTRYPOINT and not key.startswith("EXPECT_")}
        for variable in container["env"]:
            source = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            env[variable["name"]] = {
                None: variable.get("value", ""), "status.podIP": "127.0.0.1", "metadata.name": name}[source]
        self.mount(pod, container)
        # The cluster's DNS.
        with self.lock:
            services = [name for kind, name in self.objects if kind == "services"]
        with open(f"{self.folder}/hosts", "w") as hosts:
            hosts.write("127.0.0.1 localhost spark " + " ".join(f"{name}.default.svc" for name in services) + "\n")
        env["JAVA_TOOL_OPTIONS"] = f"-Djdk.net.hosts.file={self.folder}/hosts"
        command = container.get("command", ["/opt/entrypoint.sh"]) + container["args"]
        with open(f"{self.folder}/{name}.log", "wb") as log:
            process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, cwd="/opt/spark/work-dir")
        self.processes[name] = process
        threading.Thread(target=self.wait, args=(name, process), daemon=True).start()
        return process

    def mount(self, pod, container):
        maps = {volume["name"]: volume["configMap"] for volume in pod["spec"]["volumes"] if "configMap" in volume}
        for mount in container.get("volumeMounts", []):
            given = maps.get(mount["name"])
            os.makedirs(mount["mountPath"], exist_ok=True)
            if given:
                # A pod may be asked for before its ConfigMap; a kubelet waits as well.
                while not (found := self.objects.get(("configmaps", given["name"]))):
                    time.sleep(0.1)
                data = found["data"]
                for item in given.get("items", [{"key": key, "path": key} for key in data]):
                    with open(os.path.join(mount["mountPath"], item["path"]), "w") as file:
                        file.write(data[item["key"]])

    def wait(self, name, process):
        code = process.wait()
        with self.lock:
            if pod := self.objects.get(("pods", name)):
                pod["status"] = status("Failed" if code else "Succeeded", code)
                self.tell("MODIFIED", "pods", pod)

    def log(self, name):
        with open(f"{self.folder}/{name}.log", errors="replace") as log:
            return log.read()


def status(phase, code=None):
    state = {"running": {}} if code is None else {"terminated": {"exitCode": code, "reason": phase}}
    ready = str(code is None)
    return {"phase": phase, "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"name": "spark", "ready": code is None, "state": state, "image": "", "imageID": "",
                                   "restartCount": 0}]}


def matches(item, query):
    """Whether a list or watch with these selectors has the object."""
    labels = item["metadata"].get("labels", {})
    field = query.get("fieldSelector", "").rpartition("metadata.name=")[2]
    for label in filter(None, query.get("labelSelector", "").split(",")):
        key, _, value = label.replace("!=", "=").partition("=")
        if (labels.get(key) == value) == ("!=" in label):
            return False
    return field in ("", item["metadata"]["name"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def answer(self, code, body):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def failed(self, code, reason):
        self.answer(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason})

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")

    def handle_request(self):
        kube = self.server.kube
        url = urllib.parse.urlsplit(self.path)
        match, query = PATH.fullmatch(url.path), dict(urllib.parse.parse_qsl(url.query))
        body = self.body()
        if match is None:
            return self.failed(404, "NotFound")
        kind, space, name = match["kind"], match["space"], match["name"]
        if self.command == "POST":
            return self.answer(201, kube.create(kind, space, body))
        if "watch" in query:
            return self.watch(kube, kind, query)
        with kube.lock:
            return self.named(kube, kind, space, name, body) if name else self.listed(kube, kind, query)

    def watch(self, kube, kind, query):
        if "Upgrade" in self.headers:
            # The client then watches without a web socket.
            return self.failed(503, "ServiceUnavailable")
        told = queue.SimpleQueue()
        with kube.lock:
            kube.watchers.append((kind, told))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            event = told.get()
            if matches(event["object"], query):
                data = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def named(self, kube, kind, space, name, body):
        found = kube.objects.get((kind, name))
        if found is None and self.command == "PATCH":
            # A server-side apply of what is not there creates it.
            found = kube.create(kind, space, body)
        if found is None:
            return self.failed(404, "NotFound")
        if self.command == "DELETE":
            kube.delete(kind, name)
        elif self.command in ("PUT", "PATCH") and isinstance(body, dict):
            found["metadata"].update(body.get("metadata", {}))
        self.answer(200, found)

    def listed(self, kube, kind, query):
        items = {key: item for key, item in kube.objects.items() if key[0] == kind and matches(item, query)}
        if self.command == "DELETE":
            for key in items:
                kube.delete(*key)
        version = str(len(kube.created))
        self.answer(200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version},
                          "items": list(items.values())})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request
