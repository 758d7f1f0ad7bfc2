//! From a [`Spec`] to one argument vector. Nothing is started here.
//!
//! The vector is a chain of programs of the host, each of which becomes the next one:
//!
//! ```text
//! setsid                                 away from the caller's terminal
//! nsenter --net                          (for a network that runs share) join it
//! unshare --user                         (not for root) be root of a user namespace, to be allowed to mount
//! setpriv --pdeathsig KILL               die with the caller
//! unshare --pid --fork --kill-child      the outer pid namespace: when its first process dies, the kernel kills all in it
//!   sh                                   that process; it only waits
//!     unshare --mount --pid ...          the box
//!     sh                                 waits as well: unshare itself has no exit code for a command that is killed
//!       sh setup.sh                      pid 1 of the box: mounts
//!       setpriv, env, unshare --root     drops privileges, sets the environment, enters the image
//!       COMMAND                          still pid 1
//! ```
//!
//! The outer pid namespace is there because the kernel forgets the wish to die with the parent when a process changes its
//! credentials, as the last steps do.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Error, Identity, Network, Spec,
    support::{Mode, Upper},
};

/// Waits for the box, and hides the shell's own words about a command that a signal ended.
const WAIT: &str = r#"exec 3>&2 2>/dev/null; (exec "$@") 2>&3 3>&-; exit $?"#;

/// The same, of the process that is no first one of a namespace: what a terminal sends is meant for the command.
const WAIT_ON: &str = r#"trap : HUP INT QUIT TERM; exec 3>&2 2>/dev/null; (exec "$@") 2>&3 3>&-; exit $?"#;

const SETUP: &str = include_str!("setup.sh");

/// What root keeps when it is root of the image: what container engines give, without raw sockets and devices.
const ROOT_CAPABILITIES: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,\
                                 +net_bind_service,+sys_chroot,+setfcap,+audit_write";

/// A vector in the making.
#[derive(Default)]
pub(crate) struct Vector(pub(crate) Vec<String>);

impl Vector {
    fn add(&mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.0.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// All up to the end of the setup script's own parameters. `scratch` is what [`mounts`](crate::mounts) prepared,
    /// `read_only` are the mounts to be made so at the end.
    pub(crate) fn begin(spec: &Spec, mode: Mode, upper: Upper, scratch: &Utf8Path, read_only: &[Utf8PathBuf]) -> Self {
        let mut vector = Self::default();
        if !spec.terminal {
            vector.add(["setsid"]);
        }
        if let Network::Of { pid } = spec.network {
            vector.add(["nsenter", &format!("--target={pid}"), "--net"]);
            if mode == Mode::Mapped {
                // The network belongs to a user namespace, and who is no root joins both.
                vector.add(["--user", "--preserve-credentials"]);
            }
            vector.add(["--"]);
        }
        if mode == Mode::Mapped {
            // Of the caller's groups only one can be mapped; it becomes the one that the command will have.
            vector.add(["unshare", "--user", "--map-user=0", &format!("--map-group={}", spec.user.gid), "--"]);
        }
        vector.add(["setpriv", "--pdeathsig", "KILL", "--"]);
        vector.add(["unshare", "--pid", "--fork", "--kill-child", "--", "sh", "-c", WAIT, "sh"]);
        vector.add(["unshare", "--mount", "--ipc", "--uts", "--pid"]);
        if spec.network == Network::None {
            vector.add(["--net"]);
        }
        vector.add(["--", "sh", "-c", WAIT_ON, "sh"]);
        vector.add(["sh", "-c", SETUP, "setup.sh", scratch.as_str()]);
        vector.add([if upper == Upper::Memory { "memory" } else { "disk" }]);
        vector.add([if spec.network == Network::None { "none" } else { "host" }, &spec.hostname]);
        vector.add(read_only.iter().map(|path| path.as_str())).add(["--"]);
        vector
    }

    /// The last steps of a box that runs a command of its image.
    pub(crate) fn command(&mut self, mode: Mode, spec: &Spec) -> Result<(), Error> {
        // The kernel makes no user namespace for a process whose root is not the root of its mount namespace. The other
        // way to hide the host is to have no capability, without which no process leaves its root.
        let nested = mode == Mode::Mapped && spec.user.uid != 0;
        if !nested {
            self.add(["--move"]);
        }
        self.privileges(mode, &spec.user);
        let (for_linker, others): (Vec<_>, Vec<_>) = spec.env.iter().partition(|(key, _)| key.starts_with("LD_"));
        self.add(["env", "-i", "--"]);
        self.variables(&others);
        // What the dynamic linker reads would change the last program of the host as well: the image's own `env` sets it.
        let env = match for_linker.is_empty() {
            true => None,
            false => spec.root.entry("/usr/bin/env".into())?,
        };
        if env.is_none() {
            self.variables(&for_linker);
        }
        self.add(["unshare", "--root=.", &format!("--wd={}", spec.cwd)]);
        match mode {
            Mode::Real => self.add([format!("--setuid={}", spec.user.uid)]),
            Mode::Mapped if nested => self.add([
                "--user".to_owned(),
                format!("--map-user={}", spec.user.uid),
                format!("--map-group={}", spec.user.gid),
            ]),
            Mode::Mapped => self,
        };
        self.add(["--"]);
        if env.is_some() {
            self.add(["/usr/bin/env", "--"]);
            self.variables(&for_linker);
        }
        self.add(&spec.argv);
        Ok(())
    }

    /// The last steps of a box that only shows that it can be made.
    pub(crate) fn nothing(&mut self, mode: Mode) {
        let nobody = Identity::unknown(65534);
        self.privileges(mode, &nobody);
        if mode == Mode::Mapped {
            self.add(["unshare", "--user", "--map-user=65534", "--map-group=0", "--"]);
        }
        self.add(["true"]);
    }

    fn privileges(&mut self, mode: Mode, user: &Identity) {
        self.add(["setpriv", "--no-new-privs", "--inh-caps=-all"]);
        self.add([format!("--bounding-set={ROOT_CAPABILITIES}")]);
        if mode == Mode::Real {
            self.add([format!("--regid={}", user.gid)]);
            let groups: Vec<String> = user.groups.iter().map(u32::to_string).collect();
            match groups.is_empty() {
                true => self.add(["--clear-groups".to_owned()]),
                false => self.add([format!("--groups={}", groups.join(","))]),
            };
        }
        self.add(["--"]);
    }

    fn variables(&mut self, variables: &[(&String, &String)]) {
        self.add(variables.iter().map(|(key, value)| format!("{key}={value}")));
    }
}
