//! What an engine lacks for what it is asked, before it is asked.

use assemble::{Feature, Need};
use serde_json::Value;

use crate::{Client, Engine, Failure, Problem, Problems, Version};

/// A Dockerfile that is to be built.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its name, for messages.
    pub dockerfile: &'a str,
    /// What it needs of a builder.
    pub needs: &'a [Need],
}

/// What is known of an engine.
struct Found {
    /// The version that decides what Dockerfiles may hold: of Docker's server, of the buildah in Podman.
    builder: Version,
    /// What that is called.
    name: &'static str,
    /// `amd64`.
    architecture: String,
}

/// Asks an engine whether it is there, may be used, and understands the Dockerfiles.
///
/// # Errors
/// All that stands in the way.
pub fn probe(engine: Engine, asked: &[Asked<'_>], architecture: &str) -> Result<(), Problems> {
    let client = engine.client();
    let mut problems = Vec::new();
    let found = match engine {
        Engine::Docker => docker(&client, &mut problems),
        Engine::Podman => podman(&client, &mut problems),
        Engine::Buildah => buildah(&client, &mut problems),
    };
    // Nothing more can be said of what does not answer.
    let Some(found) = found else { return Err(Problems(problems)) };
    if engine != Engine::Docker && found.builder < Version(1, 24) {
        problems.push(Problem::new(
            format!(
                "{} {} is older than 1.24, which takes no --secret and no --identity-label",
                found.name, found.builder
            ),
            "take a newer one, or --engine embedded",
        ));
    }
    let foreign = found.architecture != architecture;
    for Asked { dockerfile, needs } in asked {
        for need in *needs {
            if let Some(since) = since(engine, need.feature)
                && found.builder < since
            {
                problems.push(Problem::new(
                    format!(
                        "{dockerfile}:{}: {} needs {} {since} or newer, found {}",
                        need.line, need.feature, found.name, found.builder
                    ),
                    "write it without, or take --engine embedded",
                ));
            }
            if foreign && need.feature == Feature::Run {
                problems.push(Problem::new(
                    format!(
                        "{dockerfile}:{}: RUN needs a machine of {architecture}, and {engine} runs on {}",
                        need.line, found.architecture
                    ),
                    "take an engine of that architecture",
                ));
            }
        }
    }
    Problems::none(problems)
}

/// Since when the builder of an engine understands something; nothing, if all of them do.
///
/// BuildKit: <https://docs.docker.com/build/buildkit/dockerfile-release-notes/>, of which Docker 23.0 was the first to
/// have 1.4 built in. buildah: its release notes; 1.28 was seen to refuse `RUN --network`.
fn since(engine: Engine, feature: Feature) -> Option<Version> {
    match (engine, feature) {
        (_, Feature::Run) => None,
        (Engine::Docker, Feature::Mount) => Some(Version(20, 10)),
        (Engine::Docker, _) => Some(Version(23, 0)),
        (_, Feature::Mount) => Some(Version(1, 24)),
        (_, Feature::RunNetwork) => Some(Version(1, 30)),
        (_, Feature::Heredoc) => Some(Version(1, 33)),
        (_, Feature::Link) => Some(Version(1, 33)),
    }
}

fn docker(client: &Client, problems: &mut Vec<Problem>) -> Option<Found> {
    let printed = match client.ask(&["version", "--format", "{{json .}}"]) {
        Ok(printed) => printed,
        // The client says what it is even if no server answers.
        Err(Failure::Refused { said, printed, .. }) => {
            let json = serde_json::from_str::<Value>(&printed).unwrap_or_default();
            problems.extend(client_version(&json).and_then(|version| buildx(client, version)));
            problems.push(unreachable(&said));
            return None;
        }
        Err(failure) => {
            problems.push(missing(Engine::Docker, &failure));
            return None;
        }
    };
    let json: Value = serde_json::from_str(&printed).unwrap_or_default();
    if json["Client"].get("OsArch").is_some() {
        problems.push(Problem::new("`docker` is Podman here", "name it: --engine podman"));
        return None;
    }
    let server = json["Server"]["Version"].as_str().and_then(Version::read);
    let (Some(version), Some(server)) = (client_version(&json), server) else {
        problems.push(not_understood("docker version", &printed));
        return None;
    };
    if server < Version(18, 9) {
        problems.push(Problem::new(
            format!("the Docker server is {server}, and BuildKit came with 18.09"),
            "take a newer one, or --engine embedded",
        ));
    }
    if json["Server"]["Os"].as_str().is_some_and(|os| os != "linux") {
        problems.push(Problem::new("this Docker builds no images for Linux", "switch it to Linux containers"));
    }
    problems.extend(buildx(client, version));
    let architecture = json["Server"]["Arch"].as_str().unwrap_or_default().to_owned();
    Some(Found { builder: server, name: "Docker", architecture })
}

fn not_understood(command: &str, printed: &str) -> Problem {
    let begin: String = printed.trim().chars().take(200).collect();
    Problem::new(format!("what `{command}` printed was not understood: {begin}"), format!("see `{command}`"))
}

fn client_version(json: &Value) -> Option<Version> {
    Version::read(json["Client"]["Version"].as_str()?)
}

/// Clients from 23.0 on build with a plugin, which may be missing, or may be set to a builder that sees no image of the
/// server, not even a parent.
fn buildx(client: &Client, version: Version) -> Option<Problem> {
    if version < Version(23, 0) {
        return None;
    }
    if client.ask(&["buildx", "version"]).is_err() {
        return Some(Problem::new(
            format!("the Docker client is {version}, and its plugin buildx, which holds BuildKit, is missing"),
            "install it: apt-get install docker-buildx (docker-buildx-plugin in Docker's own packages)",
        ));
    }
    let inspected = client.ask(&["buildx", "inspect"]).ok()?;
    let field = |name: &str| inspected.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let driver = field("Driver:").filter(|driver| *driver != "docker")?;
    Some(Problem::new(
        format!("buildx uses the builder {} of driver {driver}, which sees no image of this Docker", field("Name:")?),
        "go back to the one inside Docker: docker buildx use default",
    ))
}

/// Why no server answered.
pub(crate) fn unreachable(said: &str) -> Problem {
    let last = said.lines().last().unwrap_or_default();
    if said.contains("permission denied") {
        return Problem::new(
            format!("you may not use Docker's socket: {last}"),
            "ask to be put into its group (usermod -aG docker $USER, then log in again), or take --engine podman, which \
             needs no right",
        );
    }
    Problem::new(
        format!("no Docker server answers: {last}"),
        "start it (systemctl start docker), or name one: DOCKER_HOST=unix:///run/user/UID/docker.sock, or `docker context use`",
    )
}

fn podman(client: &Client, problems: &mut Vec<Problem>) -> Option<Found> {
    let printed = answer(Engine::Podman, client, &["info", "--format", "json"], problems)?;
    let host = serde_json::from_str::<Value>(&printed).unwrap_or_default()["host"].take();
    let Some(builder) = host["buildahVersion"].as_str().and_then(Version::read) else {
        problems.push(not_understood("podman info --format json", &printed));
        return None;
    };
    if host["serviceIsRemote"].as_bool() == Some(true) {
        problems.push(Problem::new(
            "this Podman sends its builds to another machine, which sees no folder of this one",
            "build with the Podman of that machine, or build here and `cargo xtask load --to podman`",
        ));
    }
    let architecture = host["arch"].as_str().unwrap_or_default().to_owned();
    Some(Found { builder, name: "buildah", architecture })
}

fn buildah(client: &Client, problems: &mut Vec<Problem>) -> Option<Found> {
    let printed = answer(Engine::Buildah, client, &["version", "--json"], problems)?;
    // That it may make namespaces and finds its storage is seen when it is asked for images.
    answer(Engine::Buildah, client, &["images", "--quiet"], problems)?;
    let json: Value = serde_json::from_str(&printed).unwrap_or_default();
    let Some(builder) = json["version"].as_str().and_then(Version::read) else {
        problems.push(not_understood("buildah version --json", &printed));
        return None;
    };
    let platform = json["buildPlatform"].as_str().or(json["osArch"].as_str()).unwrap_or_default();
    let architecture = platform.rsplit('/').next().unwrap_or_default().to_owned();
    Some(Found { builder, name: "buildah", architecture })
}

fn answer(engine: Engine, client: &Client, arguments: &[&str], problems: &mut Vec<Problem>) -> Option<String> {
    client.ask(arguments).map_err(|failure| problems.push(missing(engine, &failure))).ok()
}

/// What to say of a client that gives no answer.
fn missing(engine: Engine, failure: &Failure) -> Problem {
    let package = if engine == Engine::Docker { "docker.io" } else { engine.program() };
    match failure {
        Failure::Missing(program) => Problem::new(
            format!("{program} is not installed"),
            format!("apt-get install {package}; or build without an engine: --engine embedded"),
        ),
        other => Problem::new(
            format!("{engine} does not answer: {}", other.said()),
            format!("see `{engine} info`; without root it needs newuidmap and a range in /etc/subuid"),
        ),
    }
}
