//! Docker and Podman, for those who have one: a command in a container of an image that the engine was given.
//!
//! The engine's own client is called, with this process's environment: contexts, remote hosts and logins are its matter.

use std::{
    collections::BTreeMap,
    env, fmt,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Cancel, Error, Mount, Network, Outcome, Output, Spec, Status, Stdin, Unsupported,
    process::{self, Streams, Victim},
};

/// A container engine with a client of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

/// A command and what it may see.
pub struct Container {
    /// The image, as the engine calls it.
    pub image: String,
    /// The container's name.
    pub name: String,
    /// The program and its arguments, in place of the image's own.
    pub argv: Vec<String>,
    /// Variables beside those of the image.
    pub env: BTreeMap<String, String>,
    /// Folders of this machine. Memory is not mounted.
    pub mounts: Vec<Mount>,
    /// What the command can reach.
    pub network: Network,
    /// Where standard output goes.
    pub stdout: Output,
    /// Where standard error goes.
    pub stderr: Output,
}

/// A network that containers of an engine share. As Kubernetes has it, a container that does nothing holds it, until this
/// is dropped.
#[derive(Debug)]
pub struct Pause {
    engine: Engine,
    name: String,
    hosts: Utf8PathBuf,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

impl Engine {
    /// The name of its client.
    pub fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// Asks whether it is there and answers.
    ///
    /// # Errors
    /// [`Error::Unsupported`] says what it answered, and what to do.
    pub fn probe(self) -> Result<(), Error> {
        self.client(&["info"]).map(drop).map_err(|cause| {
            let remedy = match self {
                Self::Docker => "start its daemon, or name one in DOCKER_HOST",
                Self::Podman => "see `podman info`",
            };
            Error::Unsupported(Unsupported {
                cause: format!("{self} does not answer ({cause})"),
                remedy: remedy.into(),
            })
        })
    }

    /// Whether it has the image whose configuration has this digest, under this name.
    ///
    /// # Errors
    /// Its client cannot be started.
    pub fn has(self, name: &str, config: &Digest) -> Result<bool, Error> {
        let found = self.client(&["image", "inspect", "--format", "{{.Id}}", name]);
        // Podman writes the bare digits.
        Ok(found.is_ok_and(|id| id.trim().trim_start_matches("sha256:") == config.hex()))
    }

    /// Gives it an image, as an archive that `docker save` would have written.
    ///
    /// # Errors
    /// What the engine said.
    pub fn load(self, archive: &Utf8Path) -> Result<(), Error> {
        self.client(&["load", "--input", archive.as_str()])
            .map(drop)
            .map_err(|cause| Error::Setup(format!("{self} load: {cause}")))
    }

    /// Runs a command to its end, or until `cancel` is used from another thread; its container is removed then.
    ///
    /// # Errors
    /// The engine's client cannot be started.
    pub fn run(self, container: Container, cancel: &Cancel) -> Result<Outcome, Error> {
        if let Network::Of { .. } = container.network {
            return Err(self.cannot_join());
        }
        let argv = self.vector(&container, self.root_is_caller());
        let streams = Streams { stdin: Stdin::Null.into(), stdout: container.stdout, stderr: container.stderr };
        self.run_client(&argv, &container.name, streams, None, cancel)
    }

    /// Runs what the sandbox would run, in a container of an image that this engine has, with the limits that the sandbox
    /// sets: the user, what may be written, the network; and no capabilities, unless it is root. With `gpus` it sees those of
    /// the machine. The container is removed in the end, also after the time is up and when `cancel` is used.
    ///
    /// # Errors
    /// The engine's client cannot be started. The network is that of a process.
    pub fn run_spec(self, image: &str, name: &str, spec: Spec, gpus: bool, cancel: &Cancel) -> Result<Outcome, Error> {
        if let Network::Of { .. } = spec.network {
            return Err(self.cannot_join());
        }
        let argv = self.spec_vector(image, name, &spec, gpus);
        let streams = Streams { stdin: spec.stdin.into(), stdout: spec.stdout, stderr: spec.stderr };
        self.run_client(&argv, name, streams, spec.timeout, cancel)
    }

    fn cannot_join(self) -> Error {
        Error::Spec(format!("a container of {self} cannot join the network of a process"))
    }

    fn run_client(
        self,
        argv: &[String],
        name: &str,
        streams: Streams,
        timeout: Option<Duration>,
        cancel: &Cancel,
    ) -> Result<Outcome, Error> {
        let started = Instant::now();
        let ended = process::run(argv, host(), streams, timeout, Victim::Program, cancel);
        let ended = ended.map_err(|error| Error::Setup(format!("running {self}: {error}")))?;
        if matches!(ended.status, Status::Cancelled | Status::TimedOut) {
            // Its client is dead; the container is not.
            self.remove(name)?;
        }
        let (status, stdout, stderr) = (ended.status, ended.stdout, ended.stderr);
        Ok(Outcome { status, stdout, stderr, elapsed: started.elapsed(), uid_emulated: false })
    }

    /// The names of all containers that begin so, running or not.
    ///
    /// # Errors
    /// What the engine said.
    pub fn containers(self, prefix: &str) -> Result<Vec<String>, Error> {
        let names = self
            .client(&["ps", "--all", "--format", "{{.Names}}"])
            .map_err(|cause| Error::Setup(format!("{self} ps: {cause}")))?;
        Ok(names.lines().filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
    }

    /// Removes a container, with all that runs in it. One that is not there is no error.
    ///
    /// # Errors
    /// What the engine said.
    pub fn remove(self, name: &str) -> Result<(), Error> {
        match self.client(&["rm", "--force", "--volumes", name]) {
            Err(cause) if !cause.to_ascii_lowercase().contains("no such container") => {
                Err(Error::Setup(format!("removing the container {name}: {cause}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether it runs without root, and its containers with a range of uids that the caller was given.
    pub fn is_rootless(self) -> bool {
        let (asked, yes) = match self {
            Self::Docker => ("{{.SecurityOptions}}", "rootless"),
            Self::Podman => ("{{.Host.Security.Rootless}}", "true"),
        };
        self.client(&["info", "--format", asked]).is_ok_and(|said| said.contains(yes))
    }

    /// Whether the root of its containers is the caller.
    fn root_is_caller(self) -> bool {
        match self {
            Self::Docker => self.is_rootless(),
            Self::Podman => true,
        }
    }

    fn vector(self, container: &Container, root_is_caller: bool) -> Vec<String> {
        let mut argv: Vec<String> = [self.program(), "run", "--rm", "--name", &container.name].map(String::from).into();
        argv.push(network(&container.network));
        // Files in mounted folders get the owner of whoever called.
        argv.push(match root_is_caller {
            true => "--user=0:0".to_owned(),
            false => format!("--user={}:{}", rustix::process::getuid(), rustix::process::getgid()),
        });
        self.sees(&container.mounts, &mut argv);
        command(&container.image, &container.env, &container.argv, &mut argv);
        argv
    }

    fn spec_vector(self, image: &str, name: &str, spec: &Spec, gpus: bool) -> Vec<String> {
        let mut argv: Vec<String> = [self.program(), "run", "--rm", "--name", name].map(String::from).into();
        argv.push(format!("--user={}:{}", spec.user.uid, spec.user.gid));
        argv.extend(spec.user.groups.iter().map(|group| format!("--group-add={group}")));
        argv.push(format!("--workdir={}", spec.cwd));
        argv.push(network(&spec.network));
        match (&spec.network, self) {
            // Docker gives what joins a container that one's names; Podman gives it neither these nor others.
            (Network::OfContainer { .. }, Self::Docker) => {}
            (Network::OfContainer { hosts, .. }, Self::Podman) => {
                argv.extend([format!("--hostname={}", spec.hostname), "--no-hosts".to_owned()]);
                argv.push(format!("--mount=type=bind,source={hosts},target=/etc/hosts,readonly"));
            }
            _ => argv.extend(hosts(&spec.hostname, &spec.names)),
        }
        if gpus {
            // Podman and the engines after it take the name of NVIDIA's CDI specification; Docker's own flag works with
            // NVIDIA's hook, and with a CDI specification from Docker 28.3 on.
            argv.push(match self {
                Self::Docker => "--gpus=all".to_owned(),
                Self::Podman => "--device=nvidia.com/gpu=all".to_owned(),
            });
        }
        if spec.user.uid != 0 {
            argv.extend(["--cap-drop=ALL", "--security-opt=no-new-privileges"].map(String::from));
        }
        if spec.read_only_root {
            argv.push("--read-only".to_owned());
        }
        self.sees(&spec.mounts, &mut argv);
        for mount in &spec.mounts {
            if let Mount::Tmpfs { target, mode, .. } = mount {
                // Engines forbid programs there; the sandbox, as Kubernetes, does not.
                // runc may keep the mode of a folder of the image: the folder has to be the user's. Podman would copy
                // the image's files there.
                let more = match self {
                    Self::Docker => format!("uid={},gid={}", spec.user.uid, spec.user.gid),
                    Self::Podman => "notmpcopyup,U".to_owned(),
                };
                argv.push(format!("--tmpfs={target}:rw,exec,mode={mode:o},{more}"));
            }
        }
        command(image, &spec.env, &spec.argv, &mut argv);
        argv
    }

    /// The folders of this machine.
    fn sees(self, mounts: &[Mount], argv: &mut Vec<String>) {
        if self == Self::Podman {
            argv.push("--security-opt=label=disable".to_owned());
        }
        for mount in mounts {
            if let Mount::Bind { source, target, read_only } = mount {
                let end = if *read_only { ",readonly" } else { "" };
                argv.push(format!("--mount=type=bind,source={source},target={target}{end}"));
            }
        }
    }

    /// What the client prints, or why it failed.
    fn client(self, arguments: &[&str]) -> Result<String, String> {
        let argv: Vec<String> =
            std::iter::once(self.program()).chain(arguments.iter().copied()).map(String::from).collect();
        let streams = Streams { stdin: Stdin::Null.into(), stdout: Output::Capture, stderr: Output::Capture };
        let ended = process::run(&argv, host(), streams, None, Victim::Program, &Cancel::new())
            .map_err(|error| error.to_string())?;
        match ended.status {
            Status::Exited(0) => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
            _ => Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned()),
        }
    }
}

impl Pause {
    /// Starts it, with nothing but a loopback interface, `hostname` and `names` being names of it, which it writes to the file
    /// `hosts`. The image has a `sleep`.
    ///
    /// # Errors
    /// What the engine said; the file cannot be written.
    pub fn start(
        engine: Engine,
        image: &str,
        name: &str,
        hostname: &str,
        names: &[String],
        hosts: Utf8PathBuf,
    ) -> Result<Self, Error> {
        let words = [hostname].into_iter().chain(names.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        fs::write(&hosts, format!("127.0.0.1\tlocalhost {words}\n::1\tlocalhost\n"))
            .map_err(Error::io("writing", hosts.clone()))?;
        fs::set_permissions(&hosts, Permissions::from_mode(0o644))
            .map_err(Error::io("opening to all", hosts.clone()))?;
        let mut arguments: Vec<String> =
            ["run", "--detach", "--rm", "--network=none", "--name", name].map(String::from).into();
        arguments.extend(self::hosts(hostname, names));
        arguments.extend(["--entrypoint=sleep", image, "infinity"].map(String::from));
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let started = engine.client(&words);
        started.map_err(|cause| Error::Setup(format!("making a network for containers of {engine}: {cause}")))?;
        Ok(Self { engine, name: name.to_owned(), hosts })
    }

    /// What a [`Spec`] joins it by.
    pub fn network(&self) -> Network {
        Network::OfContainer { name: self.name.clone(), hosts: self.hosts.clone() }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        // Whoever starts containers of such names next removes what is left.
        let _ = self.engine.remove(&self.name);
    }
}

/// The flag of a network.
fn network(network: &Network) -> String {
    match network {
        Network::None => "--network=none".to_owned(),
        // The network of a process was refused before.
        Network::Host | Network::Of { .. } => "--network=host".to_owned(),
        Network::OfContainer { name, .. } => format!("--network=container:{name}"),
    }
}

/// The host's name and all names of the loopback address.
fn hosts(hostname: &str, names: &[String]) -> Vec<String> {
    let names = std::iter::once(hostname).chain(names.iter().map(String::as_str));
    let known = names.map(|name| format!("--add-host={name}:127.0.0.1"));
    std::iter::once(format!("--hostname={hostname}")).chain(known).collect()
}

/// The image, and what runs in it in place of its own command.
fn command(image: &str, env: &BTreeMap<String, String>, words: &[String], argv: &mut Vec<String>) {
    argv.extend(env.iter().map(|(name, value)| format!("--env={name}={value}")));
    let (program, arguments) = words.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    argv.extend([format!("--entrypoint={program}"), image.to_owned()]);
    argv.extend(arguments.iter().cloned());
}

/// This process's environment.
fn host() -> process::Environment {
    env::vars_os().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Root;

    #[test]
    fn the_vector_of_a_container() {
        let bind = |source: &str, target: &str, read_only| Mount::Bind {
            source: source.into(),
            target: target.into(),
            read_only,
        };
        let container = Container {
            image: "builder:1".into(),
            name: "one".into(),
            argv: ["/in/run", "-P x", "y"].map(String::from).into(),
            env: [("A".to_owned(), "b c".to_owned())].into(),
            mounts: vec![bind("/a", "/in", true), bind("/b", "/out", false)],
            network: Network::None,
            stdout: Output::Inherit,
            stderr: Output::Inherit,
        };
        let vector = Engine::Podman.vector(&container, true);
        let expected = [
            "podman",
            "run",
            "--rm",
            "--name",
            "one",
            "--network=none",
            "--user=0:0",
            "--security-opt=label=disable",
            "--mount=type=bind,source=/a,target=/in,readonly",
            "--mount=type=bind,source=/b,target=/out",
            "--env=A=b c",
            "--entrypoint=/in/run",
            "builder:1",
            "-P x",
            "y",
        ];
        assert_eq!(vector, expected);
        let docker = Engine::Docker.vector(&container, false);
        let owner = format!("--user={}:{}", rustix::process::getuid(), rustix::process::getgid());
        assert_eq!(docker[0], "docker");
        assert!(docker.contains(&owner) && !docker.iter().any(|word| word.contains("security-opt")), "{docker:?}");
    }

    #[test]
    fn what_shares_a_network_names_no_hosts_of_its_own_and_sees_a_gpu_when_it_is_given_one() {
        let root = Root::new(Vec::new());
        let spec = |network| Spec { network, names: vec!["s3.test".to_owned()], ..Spec::new(root.clone(), ["true"]) };
        let words = |engine: Engine, network, gpus| engine.spec_vector("image:1", "one", &spec(network), gpus);
        let own = words(Engine::Docker, Network::None, false);
        for word in ["--network=none", "--hostname=sandbox", "--add-host=s3.test:127.0.0.1"] {
            assert!(own.iter().any(|other| other == word), "{word}: {own:?}");
        }
        let of_pause = Network::OfContainer { name: "pause".to_owned(), hosts: "/tmp/hosts".into() };
        let shared = words(Engine::Docker, of_pause.clone(), true);
        assert!(shared.iter().any(|word| word == "--network=container:pause"), "{shared:?}");
        let hosts = words(Engine::Podman, of_pause, false);
        for word in ["--no-hosts", "--mount=type=bind,source=/tmp/hosts,target=/etc/hosts,readonly"] {
            assert!(hosts.iter().any(|other| other == word), "{word}: {hosts:?}");
        }
        // Engines refuse them beside the network of another container.
        assert!(!shared.iter().any(|word| word.contains("host=") || word.contains("hostname=")), "{shared:?}");
        let gpu = |words: Vec<String>| words.into_iter().find(|word| word.contains("gpu"));
        assert_eq!(gpu(own), None);
        assert_eq!(gpu(shared).as_deref(), Some("--gpus=all"));
        assert_eq!(gpu(words(Engine::Podman, Network::None, true)).as_deref(), Some("--device=nvidia.com/gpu=all"));
    }
}
