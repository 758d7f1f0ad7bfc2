//! Builds with an engine, and loads, with stand-ins for the clients: what they are asked, and what comes of their answers.

mod support;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use support::{Repository, Run, stand_ins::StandIns};

fn fetched() -> Repository {
    let repository = Repository::new();
    repository.ok(&["fetch"]);
    repository
}

const DOCKER: [&str; 3] = ["build-layers", "--engine", "docker"];

#[test]
fn an_engine_gets_contexts_labels_names_and_no_network() {
    let repository = fetched();
    let engine = StandIns::of(&["docker"]);
    engine.ok(&repository, &DOCKER).says("images: in docker");
    let calls = engine.calls();
    let builds: Vec<&String> = calls.iter().filter(|call| call.starts_with("docker build ")).collect();
    assert_eq!(builds.len(), 3, "{calls:#?}");
    for build in &builds {
        for part in ["--network=none", "--platform=linux/amd64", "--iidfile=", "--label=io.spark-images.fingerprint="] {
            assert!(build.contains(part), "{part} in {build}");
        }
        assert!(!build.contains("latest") && !build.contains("--pull"), "{build}");
    }
    assert_eq!(engine.get("environment"), "DOCKER_BUILDKIT=1\n");
    // The parent is named by its fingerprint, and the folder of the context as well.
    let fingerprint = |build: &str| {
        let begin = build.find("fingerprint=").unwrap() + "fingerprint=".len();
        build[begin..begin + 64].to_owned()
    };
    let base = fingerprint(builds[0]);
    assert!(builds[1].contains(&format!("--build-arg=PARENT=spark-images.invalid/base:{base}")), "{}", builds[1]);
    assert!(builds[0].ends_with(&format!("/{base}")), "{}", builds[0]);
    assert!(builds[2].contains("--tag=runtime:3.5-3.5.7 --tag=runtime:3.5 "), "{}", builds[2]);
    // Contexts are gone; nothing was put into the layout.
    let contexts = repository.path("target/spark-images/engines/docker/contexts");
    assert_eq!(fs::read_dir(contexts).unwrap().count(), 0);
    assert!(repository.digests().values().all(|digest| digest == "null"));
}

#[test]
fn what_the_engine_has_is_known_by_one_question() {
    let repository = fetched();
    let engine = StandIns::of(&["docker"]);
    engine.ok(&repository, &DOCKER);
    engine.calls();
    let again = engine.ok(&repository, &DOCKER);
    again.says("cached");
    let question = "docker images --no-trunc --filter label=io.spark-images.fingerprint --format";
    let calls = engine.calls();
    assert!(calls.len() == 1 && calls[0].starts_with(question), "{calls:#?}");
    // Another checkout, which has built nothing: the engine has it all the same.
    let other = repository.another();
    engine.ok(&other, &DOCKER).says("cached");
    assert_eq!(engine.calls().len(), 1);
    // A comment in a Dockerfile changes its image and all on top of it, and the plan says why.
    repository.write("docker/runtime/rootfs/run", "changed");
    let plan = engine.ok(&repository, &["build-layers", "--engine", "docker", "--plan", "--why"]);
    plan.says("build    runtime:3.5-3.5.7\n           docker/runtime/rootfs/run changed\n");
    plan.says("1 to build, 2 cached, 0 blocked");
    engine.calls();
    engine.ok(&repository, &DOCKER).says("built     runtime:3.5-3.5.7");
    assert_eq!(engine.calls().iter().filter(|call| call.starts_with("docker build ")).count(), 1);
    // Back again: the engine still has it, and only the names move.
    repository.write("docker/runtime/rootfs/run", "run");
    let kept = engine.get("images");
    let (moved, names): (Vec<&str>, Vec<&str>) = kept.lines().partition(|line| line.contains("|runtime:"));
    engine.put("images", &(names.join("\n") + "\n" + moved[2] + "\n" + moved[3] + "\n"));
    engine.ok(&repository, &DOCKER).says("cached");
    let calls = engine.calls();
    let tags: Vec<&String> =
        calls.iter().filter(|call| call.starts_with("docker tag spark-images.invalid/runtime:")).collect();
    assert_eq!((tags.len(), calls.len()), (2, 3), "{calls:#?}");
    // What was removed from the engine is built again, and nothing else.
    let kept = engine.get("images");
    engine.put(
        "images",
        &kept.lines().filter(|line| !line.contains("/custom:")).map(|line| format!("{line}\n")).collect::<String>(),
    );
    engine.ok(&repository, &["build-layers", "--engine", "docker", "--plan", "--why"]).says("it is no longer there");
    engine.ok(&repository, &DOCKER).says("same      runtime:3.5-3.5.7");
}

#[test]
fn all_that_stands_in_the_way_is_said_before_anything_starts() {
    let repository = fetched();
    let none = StandIns::of(&[]);
    for (engine, words) in [
        ("docker", "docker is not installed\n  apt-get install docker.io"),
        ("podman", "podman is not installed\n  apt-get install podman"),
        ("buildah", "buildah is not installed\n  apt-get install buildah"),
    ] {
        let run = none.run(&repository, &["build-layers", "--engine", engine]);
        run.says(words);
        assert_eq!(run.code, Some(1));
    }
    // A new client without its plugin, and no right on the socket: both at once.
    let engine = StandIns::of(&["docker"]);
    engine.put("instead/docker-images", "echo 'permission denied while trying to connect' >&2; exit 1");
    engine.put(
        "instead/docker-version",
        "echo '{\"Client\":{\"Version\":\"28.2.2\"},\"Server\":null}'\n\
         echo 'Got permission denied while trying to connect to the Docker daemon socket at unix:///run/x' >&2\nexit 1",
    );
    engine.put("instead/docker-buildx", "exit 1");
    let run = engine.run(&repository, &DOCKER);
    run.says("the Docker client is 28.2, and its plugin buildx, which holds BuildKit, is missing");
    run.says("you may not use Docker's socket");
    run.says("usermod -aG docker");
    // A builder that sees no local image.
    fs::remove_file(engine.state("instead/docker-images")).unwrap();
    engine.put(
        "instead/docker-version",
        "echo '{\"Client\":{\"Version\":\"28.2.2\"},\"Server\":{\"Version\":\"28.2.2\",\"Os\":\"linux\",\"Arch\":\"amd64\"}}'",
    );
    engine.put("instead/docker-buildx", "printf 'Name:          far\\nDriver:        docker-container\\n'");
    engine
        .run(&repository, &DOCKER)
        .says("the builder far of driver docker-container, which sees no image of this Docker");
    assert!(!engine.calls().iter().any(|call| call.starts_with("docker build ")));
}

#[test]
fn a_dockerfile_that_is_too_new_for_the_engine_is_named_with_its_line() {
    let repository = fetched();
    let text =
        "ARG PARENT\nFROM ${PARENT}\nCOPY --link rootfs/ /\nCOPY <<E /text\na\nE\nRUN --mount=type=cache,target=/c x\n";
    repository.write("docker/runtime/Dockerfile", text);
    let docker = StandIns::of(&["docker"]);
    let run = docker.run(&repository, &DOCKER);
    run.says("docker/runtime/Dockerfile:3: COPY --link needs Docker 23.0 or newer, found 20.10");
    run.says("docker/runtime/Dockerfile:4: a here-document needs Docker 23.0 or newer, found 20.10");
    assert!(!run.stderr.contains("--mount"), "{}", run.stderr);
    let podman = StandIns::of(&["podman"]);
    let run = podman.run(&repository, &["build-layers", "--engine", "podman"]);
    run.says("docker/runtime/Dockerfile:4: a here-document needs buildah 1.33 or newer, found 1.28");
    for engine in [&docker, &podman] {
        assert!(!engine.calls().iter().any(|call| call.contains(" build ")));
    }
    repository.write("docker/runtime/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nCOPPY rootfs/ /\n");
    docker.run(&repository, &DOCKER).says("docker/runtime/Dockerfile:3:");
}

#[test]
fn a_failure_reaches_children_and_no_sibling() {
    let repository = fetched();
    repository.write(
        "docker/side/image.toml",
        "name = \"side\"\nabout = \"a\"\ntags = [\"1\"]\n[parents]\nPARENT = \"base\"\n",
    );
    repository.write("docker/side/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nENV A=b\n");
    let engine = StandIns::of(&["podman"]);
    engine.put("fail", "--tag=custom:");
    let podman = ["build-layers", "--engine", "podman"];
    let run = engine.run(&repository, &podman);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    run.says("built     side:1");
    run.says("failed: custom:3.5.7: podman build failed with exit code 1: no space left on device");
    run.says("skipped: runtime:3.5-3.5.7, because custom:3.5.7 failed");
    run.says("next: cargo xtask build-layers custom:3.5.7 --engine podman");
    fs::remove_file(engine.state("fail")).unwrap();
    engine.calls();
    engine.ok(&repository, &podman);
    let calls = engine.calls();
    let builds = calls.iter().filter(|call| call.starts_with("podman build ")).count();
    assert_eq!(builds, 2, "{calls:#?}");
    assert!(calls.iter().any(|call| call.contains("--pull=never") && call.contains("--format=docker")), "{calls:#?}");
}

#[test]
fn an_engine_that_says_all_is_well_and_gives_no_image_is_not_believed() {
    let repository = fetched();
    let engine = StandIns::of(&["podman"]);
    engine.put("instead/podman-build", "exit 0");
    engine
        .run(&repository, &["build-layers", "base", "--engine", "podman"])
        .says("podman build: it wrote no id of an image");
    engine.put(
        "instead/podman-build",
        "for word; do case $word in --iidfile=*) echo sha256:$(printf %064d 1) > \"${word#*=}\" ;; esac; done",
    );
    engine
        .run(&repository, &["build-layers", "base", "--engine", "podman"])
        .says("and does not have it as spark-images.invalid/base:");
}

#[test]
fn an_image_that_needs_the_network_gets_the_default_one_unless_offline() {
    let repository = fetched();
    let image = fs::read_to_string(repository.path("docker/base/image.toml")).unwrap();
    repository.write("docker/base/image.toml", &image.replacen("tags", "network = true\ntags", 1));
    let engine = StandIns::of(&["docker"]);
    let network = |args: &[&str]| {
        engine.ok(&repository, &[&["build-layers", "base", "--engine", "docker"], args].concat());
        engine.put("images", "");
        let calls = engine.calls();
        calls.iter().any(|call| call.starts_with("docker build ") && call.contains("--network="))
    };
    assert!(!network(&[]));
    assert!(network(&["--offline"]));
}

#[test]
fn ctrl_c_ends_the_client_and_a_second_run_completes() {
    let repository = fetched();
    let engine = StandIns::of(&["docker"]);
    engine.put("stall", "--tag=custom:");
    let mut command = engine.command(&repository, &DOCKER);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    while engine.get("stalled").trim().is_empty() {
        assert!(
            child.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_secs(60),
            "{}",
            engine.get("calls")
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    run.says("docker build was interrupted");
    let client: i32 = engine.get("stalled").trim().parse().unwrap();
    let client = rustix::process::Pid::from_raw(client).unwrap();
    assert!(rustix::process::test_kill_process(client).is_err(), "the client is left");
    fs::remove_file(engine.state("stall")).unwrap();
    engine.calls();
    engine.ok(&repository, &DOCKER);
    assert_eq!(engine.calls().iter().filter(|call| call.starts_with("docker build ")).count(), 2);
}

/// Members of the archives that were read since the last time: blobs by digest, documents by name.
fn members(stand_ins: &StandIns) -> Vec<String> {
    let names = stand_ins.get("names");
    stand_ins.put("names", "");
    names.lines().filter(|name| !name.ends_with('/')).map(String::from).collect()
}

fn blobs(members: &[String]) -> usize {
    members.iter().filter(|name| name.starts_with("blobs/")).count()
}

#[test]
fn docker_gets_one_archive_without_the_layers_that_it_has() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    let docker = StandIns::of(&["docker"]);
    let load = |args: &[&str]| docker.ok(&repository, &[&["load", "--to", "docker"], args].concat());
    load(&["base"]).says("loaded");
    let calls = docker.calls();
    assert_eq!(calls.iter().filter(|call| *call == "docker load --quiet").count(), 1, "{calls:#?}");
    // Layer, configuration, manifest.
    assert_eq!(blobs(&members(&docker)), 3);
    let plan = load(&["--dry-run"]);
    plan.says("docker load --quiet  # 2 images: 3 of 4 layers");
    assert!(!docker.calls().iter().any(|call| call.starts_with("docker load")));
    // Two images with four layers between them, of which one is there.
    load(&[]).says("base:1             ");
    let loaded = members(&docker);
    assert_eq!(blobs(&loaded), 3 + 2 * 2, "{loaded:#?}");
    docker.calls();
    let again = load(&["--json"]);
    assert_eq!(again.stdout.matches("\"state\": \"there\"").count(), 3, "{}", again.stdout);
    assert!(!docker.calls().iter().any(|call| call.starts_with("docker load")));
    // An image without its second name is given that name.
    let kept = docker.get("loaded");
    docker.put("loaded", &kept.replace("\"runtime:3.5-3.5.7\",\"runtime:3.5\"", "\"runtime:3.5-3.5.7\""));
    docker.run(&repository, &["load", "--to", "docker"]).says("runtime:3.5");
    assert!(docker.calls().iter().any(|call| call.starts_with("docker tag sha256:") && call.ends_with(" runtime:3.5")));
}

#[test]
fn a_layer_that_is_gone_after_all_is_sent_and_lies_are_found() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    let docker = StandIns::of(&["docker"]);
    docker.ok(&repository, &["load", "base", "--to", "docker"]);
    docker.put("instead/docker-load", "if [ -e \"$STAND_IN/once\" ]; then load; else : > \"$STAND_IN/once\"; cat > /dev/null; echo gone >&2; exit 1; fi");
    members(&docker);
    let run = docker.ok(&repository, &["load", "custom", "--to", "docker"]);
    run.says("it lacks a layer that it seemed to have: sending all of them");
    let layers = blobs(&members(&docker));
    assert_eq!(layers, 3 + 2, "the second archive has all layers");
    docker.put("instead/docker-load", "cat > /dev/null");
    let run = docker.run(&repository, &["load", "runtime", "--to", "docker"]);
    assert_eq!(run.code, Some(1));
    run.says("docker said that all is well, and has not all of these images");
    docker.put("instead/docker-load", "cat > /dev/null; echo 'no space left on device' >&2; exit 1");
    docker.run(&repository, &["load", "runtime", "--to", "docker"]).says("no space left on device");
    // A blob that is gone is no client that is not installed.
    let blobs = repository.path("target/spark-images/images/blobs/sha256");
    let largest = fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path());
    fs::remove_file(largest.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()).unwrap();
    let fresh = StandIns::of(&["docker"]);
    let run = fresh.run(&repository, &["load", "runtime", "--to", "docker"]);
    assert_eq!(run.code, Some(1));
    run.says("No such file");
    assert!(!run.stderr.contains("not installed"), "{}", run.stderr);
}

#[test]
fn containerd_and_k3s_are_spoken_to_in_a_namespace() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    for (client, to) in [("ctr", "containerd"), ("k3s", "k3s")] {
        let stand_ins = StandIns::of(&[client]);
        let words = if client == "k3s" { "k3s ctr" } else { "ctr" };
        stand_ins.ok(&repository, &["load", "custom", "--to", to]).says("loaded");
        let calls = stand_ins.calls();
        assert!(calls.contains(&format!("{words} --namespace k8s.io images import -")), "{calls:#?}");
        assert!(stand_ins.get("checked").contains("docker.io/library/custom:3.5.7"), "{}", stand_ins.get("checked"));
        // The names stay, so that what is there is known.
        let first = stand_ins.get("names").lines().count();
        stand_ins.ok(&repository, &["load", "--to", to, "--namespace", "own"]).says("base:1             ");
        assert!(stand_ins.calls().contains(&format!("{words} --namespace own images import -")));
        let names = stand_ins.get("names");
        let second: Vec<String> =
            names.lines().skip(first).filter(|name| !name.ends_with('/')).map(String::from).collect();
        // Manifest and configuration of two images, and the one layer that the first did not have.
        assert_eq!(blobs(&second), 2 * 2 + 1, "{second:#?}");
        stand_ins.ok(&repository, &["load", "--to", to]).says("there");
        assert!(!stand_ins.calls().iter().any(|call| call.contains("import")));
    }
}

#[test]
fn clusters_are_named_and_get_archives_in_their_own_way() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    let minikube = StandIns::of(&["minikube"]);
    minikube.ok(&repository, &["load", "runtime", "--to", "minikube", "--profile", "dev"]).says("loaded");
    assert!(minikube.calls().contains(&"minikube --profile dev image load -".to_owned()));
    minikube.ok(&repository, &["load", "runtime", "--to", "minikube", "--profile", "dev"]).says("there");
    assert!(!minikube.calls().iter().any(|call| call.ends_with("load -")));
    // One node reads the stream; several need a file, which is gone afterwards.
    let kind = StandIns::of(&["kind", "docker"]);
    kind.put("nodes", "kind-control-plane\n");
    kind.ok(&repository, &["load", "base", "--to", "kind"]).says("loaded");
    let calls = kind.calls();
    assert!(calls.contains(&"kind load image-archive --name kind /dev/stdin".to_owned()), "{calls:#?}");
    assert!(
        calls
            .iter()
            .any(|call| call.starts_with("docker exec -i kind-control-plane ctr --namespace k8s.io images check"))
    );
    kind.put("nodes", "two-control-plane\ntwo-worker\ntwo-external-load-balancer\n");
    let run = kind.ok(&repository, &["load", "custom", "--to", "kind", "--cluster", "two"]);
    run.says("loaded");
    let calls = kind.calls();
    let file = calls.iter().find_map(|call| call.strip_prefix("kind load image-archive --name two ")).unwrap();
    assert!(file.ends_with(".tar") && !Path::new(file).exists(), "{file}");
    assert!(!calls.iter().any(|call| call.contains("load-balancer")), "{calls:#?}");
}

#[test]
fn podman_reads_the_layout_unless_its_path_has_capitals() {
    let repository = Repository::new();
    let podman = StandIns::of(&["podman"]);
    // Tests' folders have names with capitals, sometimes.
    let out = std::env::temp_dir().join(format!("spark-images-{}", std::process::id()));
    let plan = |out: &Path| {
        let run = |args: &[&str]| {
            let output = podman.command(&repository, args).env("SPARK_IMAGES_OUT", out).output().unwrap();
            let run = Run::of(&output);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
            run
        };
        run(&["build-layers"]);
        run(&["load", "runtime", "--to", "podman", "--dry-run"])
    };
    let lines = plan(&out).stdout;
    let (layout, lines) = (out.join("images"), lines.lines().collect::<Vec<_>>());
    assert_eq!(lines[0], format!("podman pull --quiet oci:{}:runtime:3.5-3.5.7", layout.display()));
    assert!(lines[1].starts_with("podman tag ") && lines[1].ends_with(" runtime:3.5-3.5.7 runtime:3.5"), "{lines:#?}");
    assert!(lines[2].ends_with(&format!(" localhost{}:latest || true", layout.display())), "{lines:#?}");
    fs::remove_dir_all(out).unwrap();
    plan(&repository.path("Out")).says("podman load --quiet  # 1 image: 4 of 4 layers");
    assert!(!podman.calls().iter().any(|call| call.contains("pull") || call.contains("load")));
}

#[test]
fn a_destination_that_is_not_there_is_told_with_what_to_install_or_start() {
    let repository = Repository::new();
    repository.run(&["load", "--to", "docker"]).says("is not built");
    repository.ok(&["build-layers"]);
    let none = StandIns::of(&[]);
    for (to, words) in [
        ("docker", "docker is not installed\n  apt-get install docker.io"),
        ("podman", "podman is not installed\n  apt-get install podman"),
        ("containerd", "ctr is not installed\n  apt-get install containerd"),
        ("minikube", "minikube is not installed\n  install minikube"),
        ("kind", "kind is not installed\n  install kind"),
        ("k3s", "k3s is not installed\n  install k3s"),
    ] {
        let run = none.run(&repository, &["load", "--to", to]);
        run.says(words);
        assert_eq!(run.code, Some(1), "{to}");
    }
    let some = StandIns::of(&["docker", "ctr", "minikube", "kind", "k3s"]);
    some.put("instead/docker-info", "echo 'Cannot connect to the Docker daemon at unix:///run/x' >&2; exit 1");
    some.put("instead/ctr-version", "echo 'cannot access containerd socket' >&2; exit 1");
    some.put("instead/minikube---profile", "echo 'Profile \"dev\" not found' >&2; exit 85");
    for (args, words) in [
        (&["--to", "docker"][..], "no Docker server answers: Cannot connect"),
        (&["--to", "containerd"], "cannot access containerd socket\n  start it (systemctl start containerd)"),
        (&["--to", "minikube", "--profile", "dev"], "minikube --profile dev start"),
        (&["--to", "kind", "--cluster", "dev"], "kind has no cluster dev\n  make it: kind create cluster --name dev"),
        (&["--to", "docker", "--namespace", "x"], "--namespace says nothing to docker"),
        (&["--to", "podmann"], "possible values: docker, podman, containerd, minikube, kind, k3s"),
    ] {
        let run = some.run(&repository, &[&["load"], args].concat());
        run.says(words);
        assert_ne!(run.code, Some(0), "{args:?}");
    }
}

#[test]
fn jobs_run_in_containers_of_what_was_built() {
    let repository = fetched();
    repository.replace("docker/runtime/image.toml", "[[stage]]", "[[smoke]]\njobs = [\"x.sh\"]\n[[stage]]");
    repository.write("docker/smoke/jobs/x.sh", "#!/bin/sh\n");
    repository.ok(&["build-layers"]);
    let engine = StandIns::of(&["docker"]);
    engine.put("instead/docker-image", "cat \"$STAND_IN/id\"");
    engine.put("instead/docker-ps", "kept names");
    engine.put("instead/docker-run", "echo 'ok x seen'");
    let smoke = ["smoke", "runtime", "--engine", "docker"];

    // Something else has the name there.
    engine.put("id", "sha256:0123");
    let refused = engine.run(&repository, &smoke);
    assert_eq!(refused.code, Some(1));
    refused.says("docker lacks what was built here: runtime:3.5-3.5.7");
    refused.says("cargo xtask load runtime:3.5-3.5.7 --to docker");
    engine.put("id", &config_of(&repository, "runtime"));
    engine.calls();
    let run = engine.ok(&repository, &smoke);
    run.says("3 passed, 0 failed, 0 skipped");
    let calls = engine.calls();
    let run = calls.iter().find(|call| call.starts_with("docker run ")).unwrap();
    for word in [
        "--rm",
        "--network=none",
        "--user=1000650000:0",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--read-only",
        "--tmpfs=/tmp:rw,exec,mode=1777",
        ",target=/opt/smoke,readonly",
    ] {
        assert!(run.contains(word), "{word}: {run}");
    }

    // The container of a run that is gone is removed, that of one that still runs is not, and nothing else.
    let name = run.split(' ').find(|word| word.starts_with("spark-images-smoke-")).unwrap();
    let of = |pid: u32| {
        let words: Vec<&str> = name.split('-').collect();
        [&words[..4], &[pid.to_string().as_str()], &words[5..]].concat().join("-")
    };
    let (dead, alive) = (of(u32::MAX), of(std::process::id()));
    // What holds a network goes after those that share it: its name ends in the digest of `network`.
    let end = name.rsplit('-').next().unwrap();
    let network = dead.replace(end, &blob::Digest::of(b"network").hex()[..12]);
    engine.put("names", &format!("{network}\n{dead}\n{alive}\nother\n"));
    engine.ok(&repository, &smoke);
    let calls = engine.calls();
    let removed: Vec<&String> = calls.iter().filter(|call| call.starts_with("docker rm ")).collect();
    assert_eq!(removed, [&dead, &network].map(|name| format!("docker rm --force --volumes {name}")).each_ref());
}

#[test]
fn servers_and_their_jobs_share_a_network_and_a_gpu_that_is_not_given_is_no_pass() {
    let repository = fetched();
    repository.replace("docker/runtime/image.toml", "[[stage]]", "[[smoke]]\njobs = [\"x.sh\"]\n[[stage]]");
    repository.write("docker/smoke/jobs/x.sh", "#!/bin/sh\n# smoke: gpu service=echo\n");
    let image = "id = \"service-echo\"\nname = \"service-echo\"\nabout = \"a\"\ntags = [\"1\"]\n[labels]\n\"io.spark-images.service.url\" = \"echo://localhost\"\n[[stage]]\ninto = \"bin/\"\nfolder = \"bin\"\n";
    repository.write("docker/echo/image.toml", image);
    repository.write("docker/echo/bin/start", "");
    repository.write("docker/echo/Dockerfile", "FROM scratch\nCOPY bin/ /bin/\n");
    repository.ok(&["build-layers"]);
    let engine = StandIns::of(&["docker"]);
    engine.put("runtime", &config_of(&repository, "runtime"));
    engine.put("service", &config_of(&repository, "service-echo"));
    engine.put("instead/docker-image", "case $all in *service-echo*) kept service ;; *) kept runtime ;; esac");
    engine.put("instead/docker-ps", "true");
    let run = "case $all in *--detach*) echo id ;; *service-echo*) echo 'ready now'; exec sleep 600 ;; *) echo 'skip x no GPU' ;; esac";
    engine.put("instead/docker-run", run);
    let smoke = ["smoke", "runtime", "--engine", "docker", "--with-services", "--only", "x"];
    engine.ok(&repository, &smoke).says("1 passed, 0 failed, 1 skipped");
    let calls = engine.calls();
    let runs: Vec<&String> = calls.iter().filter(|call| call.starts_with("docker run ")).collect();
    let [pause, service, job] = runs.as_slice() else { panic!("{runs:#?}") };
    let name = pause.split(' ').find(|word| word.starts_with("spark-images-smoke-")).unwrap();
    assert!(
        pause.contains("--network=none") && pause.ends_with("--entrypoint=sleep service-echo:1 infinity"),
        "{pause}"
    );
    for run in [service, job] {
        assert!(run.contains(&format!("--network=container:{name} ")) && !run.contains("--hostname"), "{run}");
    }
    assert!(job.contains("--env=SERVICE_ECHO=echo://localhost ") && !job.contains("--gpus"), "{job}");
    let removed = calls.iter().filter(|call| call.starts_with("docker rm ")).count();
    assert_eq!(removed, 2, "the server and what holds the network: {calls:#?}");

    // What was given what it needs skips nothing, and an engine that starts nothing is quoted.
    let given = engine.run(&repository, &[&smoke[..], &["--gpus"]].concat());
    assert_eq!(given.code, Some(1));
    given.says("x: with --gpus: no GPU");
    given.says("next: cargo xtask smoke runtime:3.5-3.5.7 --engine docker --gpus --with-services");
    assert!(engine.calls().iter().any(|call| call.contains("--gpus=all") && !call.contains("service-echo:1")));
    let refuse = format!("case $all in *--gpus*) echo 'docker: no device driver' >&2; exit 125 ;; esac; {run}");
    engine.put("instead/docker-run", &refuse);
    let refused = engine.run(&repository, &[&smoke[..], &["--gpus"]].concat());
    refused.says("start: docker did not start the job: docker: no device driver");
    let sandbox = repository.run(&["smoke", "runtime", "--gpus"]);
    sandbox.says("`--gpus` needs an engine");
}

/// The digest of a built image's configuration.
fn config_of(repository: &Repository, image: &str) -> String {
    let images = repository.path("target/spark-images/images");
    let digests = repository.digests();
    let (_, digest) = digests.iter().find(|(name, _)| name.contains(image)).unwrap();
    let blob = images.join("blobs/sha256").join(digest.trim_matches('"').trim_start_matches("sha256:"));
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(blob).unwrap()).unwrap();
    manifest["config"]["digest"].as_str().unwrap().to_owned()
}
