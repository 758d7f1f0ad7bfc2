//! A network that several runs share: a loopback interface of its own, nothing else.

use std::{
    io::{self, PipeWriter},
    sync::mpsc,
    thread::{self, JoinHandle},
};

use crate::{
    Cancel, Error, Network, Output, Sandbox, Unsupported,
    process::{self, Ended, Streams, Victim},
    support::Mode,
};

/// Brings the interface up, says its own pid and waits until standard input ends, which it does when its parent is dead.
/// A new /sys is refused where the host hides parts of its own, and its files may be the host's root's alone.
const HOLD: &str = r#"
{ mount -n -i -t sysfs sysfs /sys && echo 0x9 >/sys/class/net/lo/flags; } 2>/dev/null || ip link set lo up || exit
echo "$$"
read -r _
"#;

/// A network for the runs of one sandbox. A process holds it as long as this value lives; runs that have joined it keep it
/// for themselves when that process is gone.
pub struct Loopback {
    pid: u32,
    /// Until this is closed, the holder waits.
    input: Option<PipeWriter>,
    holder: Option<JoinHandle<io::Result<Ended>>>,
}

impl Loopback {
    /// Makes a network for the runs of `sandbox`.
    ///
    /// # Errors
    /// This machine has not the tools, or the kernel refuses.
    pub fn new(sandbox: &Sandbox) -> Result<Self, Error> {
        if !process::missing(&["nsenter"]).is_empty() {
            return Err(Error::Unsupported(Unsupported {
                cause: "the program nsenter is missing".to_owned(),
                remedy: "install util-linux".to_owned(),
            }));
        }
        let user: &[&str] = match sandbox.support().mode {
            Mode::Real => &[],
            Mode::Mapped => &["--user", "--map-root-user"],
        };
        let argv: Vec<String> = [&["setsid", "unshare"], user, &["--net", "--mount", "--", "sh", "-c", HOLD]]
            .concat()
            .into_iter()
            .map(String::from)
            .collect();
        let (reader, input) = io::pipe().map_err(|error| Error::Setup(format!("making a pipe: {error}")))?;
        let (sender, first_line) = mpsc::channel();
        let said = Output::Lines(Box::new(move |line| {
            // Nobody listens after the first line.
            let _ = sender.send(line.to_owned());
        }));
        let streams = Streams { stdin: process::Input::Pipe(reader), stdout: said, stderr: Output::Capture };
        let holder = thread::spawn(move || {
            process::run(&argv, process::environment(), streams, None, Victim::Program, &Cancel::new())
        });
        let pid = first_line.recv().ok().and_then(|line| line.parse().ok());
        let mut loopback = Self { pid: pid.unwrap_or_default(), input: Some(input), holder: Some(holder) };
        match pid {
            Some(_) => Ok(loopback),
            None => Err(Error::Setup(format!("making a network: {}", loopback.end()))),
        }
    }

    /// What a [`Spec`](crate::Spec) joins it by.
    pub fn network(&self) -> Network {
        Network::Of { pid: self.pid }
    }

    /// Ends the holder; what it said then.
    fn end(&mut self) -> String {
        self.input = None;
        let ended = self.holder.take().map(JoinHandle::join);
        match ended {
            Some(Ok(Ok(ended))) => String::from_utf8_lossy(&ended.stderr).trim().to_owned(),
            Some(Ok(Err(error))) => error.to_string(),
            Some(Err(_)) | None => String::new(),
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.end();
    }
}
