# smoke: checks=k8s_submitted,k8s_driver,k8s_decommission tmpfs=/opt/spark/conf,/var/data memory=2g
"""`spark-submit --deploy-mode cluster` against a server that keeps what it is asked to create; then what it was asked
for is really run: the driver's container, the executor that the driver asks for, and another after the first one was
decommissioned. Environment, Java options and arguments have blanks and quotes.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import smoke
from kube import Kube
from smoke import equal

TEXT = """a "b" 'c' $d"""
OPTIONS = """-Dsmoke.words="one two" -Dsmoke.quoted='say "x"'"""
ARGUMENTS = ["two words", "--properties-file", "mine", '"quoted"']
IMAGE = "registry.invalid/spark:smoke"
APP = f"local://{os.path.dirname(os.path.abspath(__file__))}/k8s_app.py"

folder = tempfile.mkdtemp(prefix="kube-")
kube = Kube(folder)


def wait_for(what, ready, seconds=150):
    """What `ready` returns, as soon as that is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ready():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: nothing after {seconds} s")


def submitted():
    conf = {
        "spark.kubernetes.container.image": IMAGE,
        "spark.kubernetes.driver.master": kube.url,
        "spark.kubernetes.submission.waitAppCompletion": "false",
        "spark.kubernetes.authenticate.driver.serviceAccountName": "smoke",
        "spark.kubernetes.driverEnv.SMOKE_TEXT": TEXT,
        "spark.executorEnv.SMOKE_TEXT": TEXT,
        "spark.driver.extraJavaOptions": OPTIONS,
        "spark.executor.extraJavaOptions": OPTIONS,
        "spark.driver.memory": "512m",
        "spark.executor.memory": "512m",
        "spark.executor.instances": "1",
        "spark.decommission.enabled": "true",
        "spark.kubernetes.executor.apiPollingInterval": "1s",
        "spark.kubernetes.allocation.driver.readinessTimeout": "1s",
    }
    command = ["spark-submit", "--master", f"k8s://{kube.url}", "--deploy-mode", "cluster", "--name", "smoke"]
    for item in conf.items():
        command += ["--conf", "=".join(item)]
    done = subprocess.run([*command, APP, folder, *ARGUMENTS], stderr=subprocess.PIPE, stdout=sys.stderr, text=True)
    print(done.stderr, file=sys.stderr)
    for missing in smoke.MISSING:
        if missing in done.stderr:
            raise AssertionError(f"a class is missing: {done.stderr[done.stderr.index(missing):][:300]}")
    equal("exit code of spark-submit", 0, done.returncode)
    (pod,) = kube.pods("driver")
    (container,) = pod["spec"]["containers"]
    equal("image", IMAGE, container["image"])
    equal("service account", "smoke", pod["spec"]["serviceAccountName"])
    expected = ["driver", "--properties-file", "/opt/spark/conf/spark.properties", "--class",
                "org.apache.spark.deploy.PythonRunner", APP, folder, *ARGUMENTS]
    equal("arguments", expected, container["args"])
    env = {variable["name"]: variable.get("value") for variable in container["env"]}
    equal("SMOKE_TEXT", TEXT, env["SMOKE_TEXT"])
    (properties,) = [body["data"]["spark.properties"] for kind, body in kube.created
                     if kind == "configmaps" and "spark.properties" in body["data"]]
    if "spark.kubernetes.submitInDriver=true" not in properties:
        raise AssertionError(f"spark.properties: {properties[:400]}")
    kinds = sorted({kind for kind, _ in kube.created})
    return f"{', '.join(kinds)}; {len(container['args'])} arguments, {len(env)} variables"


def run_executors(stop):
    """Starts each executor's pod that the driver asks for, as long as nothing says stop."""
    while not stop.is_set():
        for pod in kube.pods("executor"):
            if pod["metadata"]["name"] not in kube.processes:
                kube.start(pod)
        time.sleep(0.1)


def driver():
    (pod,) = kube.pods("driver")
    name = pod["metadata"]["name"]
    process = kube.start(pod)
    stop = threading.Event()
    threading.Thread(target=run_executors, args=(stop,), daemon=True).start()

    def said(word):
        if process.poll() not in (None, 0):
            raise AssertionError(f"the driver ended with {process.returncode}")
        lines = [line for line in kube.log(name).splitlines() if line.startswith(word + " ")]
        return lines and lines[0][len(word) + 1:]

    try:
        equal("arguments", repr(ARGUMENTS), wait_for("the driver's arguments", lambda: said("arguments")))
        for where in ("driver", "executor"):
            equal(f"{where}'s text", repr(TEXT), wait_for(f"the {where}'s text", lambda w=where: said(f"{w}-text")))
            equal(f"{where}'s options", repr(["one two", 'say "x"']), said(f"{where}-options"))
        equal("sum", "499500", wait_for("a sum", lambda: said("sum")))
        equal("executor-jackson", f"class {smoke.JACKSON_1}", said("executor-jackson"))
    except BaseException:
        stop.set()
        raise
    (executor,) = kube.pods("executor")
    (container,) = executor["spec"]["containers"]
    equal("the executor's image", IMAGE, container["image"])
    equal("the executor's arguments", ["executor"], container["args"])
    return "driver and executor: options and text with quotes, sum 499500"


def decommission():
    """decom.sh, as the executor's pod calls it before it is stopped; the driver asks for another executor."""
    (pod,) = kube.pods("driver")
    name = pod["metadata"]["name"]
    (first,) = kube.pods("executor")
    hook = first["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    said = subprocess.run(hook, capture_output=True, text=True, timeout=60)
    equal(f"exit code of {hook}", 0, said.returncode)
    process = kube.processes[first["metadata"]["name"]]
    process.wait(30)
    wait_for("a second executor", lambda: kube.pods("executor")[1:])
    wait_for("the end of the driver", lambda: kube.processes[name].poll() is not None)
    equal("exit code of the driver", 0, kube.processes[name].returncode)
    if "again 499500" not in kube.log(name):
        raise AssertionError("the second executor gave no sum")
    left = [key for key in kube.objects if key[0] == "pods" and key[1] != name]
    equal("executors' pods that are left", [], left)
    return f"{said.stdout.splitlines()[-1]}; a second one gave the sum"


failed = []


def in_turn(name, check):
    """The check of this name, unless one before it failed; with the logs of the pods if it fails."""
    def run():
        if failed:
            raise AssertionError(f"not reached: {failed[0]} failed")
        try:
            return check()
        except BaseException:
            failed.append(name)
            for pod in kube.processes:
                print(f"==> {pod} <==", kube.log(pod)[-20000:], sep="\n", file=sys.stderr)
            raise
    return name, run


try:
    smoke.run([in_turn("k8s_submitted", submitted), in_turn("k8s_driver", driver),
               in_turn("k8s_decommission", decommission)])
finally:
    for process in kube.processes.values():
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
