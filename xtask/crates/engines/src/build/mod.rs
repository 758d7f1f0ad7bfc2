//! Building a staged context with an engine.

mod probe;

use std::collections::BTreeMap;

use blob::Digest;
use camino::Utf8Path;
use sandbox::Cancel;

pub(crate) use probe::unreachable;
pub use probe::{Asked, probe};

use crate::{Client, Engine, Failure, engine};

/// What an engine is to build.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// The Dockerfile.
    pub dockerfile: &'r Utf8Path,
    /// The folder that its COPY and ADD read. Its last component must name its content: BuildKit keeps what it was sent
    /// under that name and, where size and time of a file are the same, does not ask for it again.
    pub context: &'r Utf8Path,
    /// The stage that is the image, if it is not the last one.
    pub target: Option<&'r str>,
    /// Build arguments.
    pub args: &'r BTreeMap<String, String>,
    /// Labels.
    pub labels: &'r BTreeMap<String, String>,
    /// What the image is called.
    pub names: &'r [String],
    /// Whether RUN may use the network.
    pub network: bool,
    /// `linux/amd64`.
    pub platform: &'r str,
    /// The time of files and image, in seconds since 1970, where the engine can set it.
    pub epoch: i64,
    /// Secrets by id.
    pub secrets: &'r BTreeMap<String, assemble::run::Secret>,
    /// The file that gets the image's id.
    pub id_file: &'r Utf8Path,
}

/// The variable in which the secret with this number reaches the client.
fn secret_variable(number: usize) -> String {
    format!("SPARK_IMAGES_BUILD_SECRET_{number}")
}

/// Builds, and hands each line that the engine prints to `line`. Returns the image's id.
///
/// # Errors
/// What the engine said last; or it said that all is well, and gave no id. (Podman 4.3 does so when it is ended by a
/// signal.)
pub fn build(
    engine: Engine,
    request: &Request<'_>,
    line: impl FnMut(&str) + Send + 'static,
    cancel: &Cancel,
) -> Result<Digest, Failure> {
    let arguments = arguments(engine, request);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let client = client(engine, request);
    client.watch(&arguments, line, cancel)?;
    let id = std::fs::read_to_string(request.id_file).ok();
    id.and_then(|id| engine::digest(id.trim())).ok_or_else(|| Failure::Refused {
        command: format!("{engine} build"),
        code: Some(0),
        said: "it wrote no id of an image".to_owned(),
        printed: String::new(),
    })
}

/// The client, with what must not stand on a command line in its environment.
fn client(engine: Engine, request: &Request<'_>) -> Client {
    let mut client = engine.client();
    for (number, secret) in request.secrets.values().enumerate() {
        if let assemble::run::Secret::Bytes(bytes) = secret {
            client = client.with(&secret_variable(number), String::from_utf8_lossy(bytes));
        }
    }
    client
}

/// The arguments of the client.
pub fn arguments(engine: Engine, request: &Request<'_>) -> Vec<String> {
    let mut arguments = vec!["build".to_owned()];
    let mut flag = |name: &str, value: &str| arguments.push(format!("--{name}={value}"));
    match engine {
        Engine::Docker => flag("progress", "plain"),
        Engine::Podman | Engine::Buildah => {
            // Their own configuration has no place for a shell or a health check.
            flag("format", "docker");
            flag("layers", "true");
            flag("force-rm", "true");
            flag("identity-label", "false");
            flag("timestamp", &request.epoch.to_string());
            // The parents are there, and nobody is to be asked for them.
            flag("pull", if engine == Engine::Podman { "never" } else { "false" });
        }
    }
    flag("platform", request.platform);
    if !request.network {
        flag("network", "none");
    }
    request.target.iter().for_each(|target| flag("target", target));
    request.args.iter().for_each(|(name, value)| flag("build-arg", &format!("{name}={value}")));
    request.labels.iter().for_each(|(name, value)| flag("label", &format!("{name}={value}")));
    for (number, (id, secret)) in request.secrets.iter().enumerate() {
        let source = match secret {
            assemble::run::Secret::File(path) => format!("src={path}"),
            assemble::run::Secret::Bytes(_) => format!("type=env,src={}", secret_variable(number)),
        };
        flag("secret", &format!("id={id},{source}"));
    }
    request.names.iter().for_each(|name| flag("tag", name));
    flag("iidfile", request.id_file.as_str());
    flag("file", request.dockerfile.as_str());
    arguments.push(request.context.to_string());
    arguments
}
