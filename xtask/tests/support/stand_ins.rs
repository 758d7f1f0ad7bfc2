//! Stand-ins for the clients of engines and clusters.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Repository, Run};

/// Stand-ins on a `PATH` of their own, and what they keep.
pub struct StandIns {
    folder: tempfile::TempDir,
}

impl StandIns {
    pub fn of(clients: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["bin", "state/instead"] {
            fs::create_dir_all(folder.path().join(sub)).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand-ins/client");
        for client in clients {
            symlink(&script, folder.path().join("bin").join(client)).unwrap();
        }
        Self { folder }
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    pub fn put(&self, name: &str, text: &str) {
        fs::write(self.state(name), text).unwrap();
    }

    pub fn get(&self, name: &str) -> String {
        fs::read_to_string(self.state(name)).unwrap_or_default()
    }

    /// The calls since the last time.
    pub fn calls(&self) -> Vec<String> {
        let calls = self.get("calls");
        self.put("calls", "");
        calls.lines().map(String::from).collect()
    }

    pub fn command(&self, repository: &Repository, args: &[&str]) -> Command {
        let mut command = repository.command(args);
        // A client that is not among the stand-ins must not be found elsewhere on this machine: only what the script uses.
        let tools = self.folder.path().join("tools");
        fs::create_dir_all(&tools).unwrap();
        for tool in ["sh", "cat", "tar", "sed", "tr", "grep", "cut", "paste", "sha256sum", "sleep", "env", "head"] {
            let found = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
            let found = found.into_iter().find(|path| path.exists()).unwrap();
            drop(symlink(found, tools.join(tool)));
        }
        let path = std::env::join_paths([self.folder.path().join("bin"), tools]).unwrap();
        command.env("PATH", path).env("STAND_IN", self.folder.path().join("state"));
        command
    }

    pub fn run(&self, repository: &Repository, args: &[&str]) -> Run {
        Run::of(&self.command(repository, args).output().unwrap())
    }

    #[track_caller]
    pub fn ok(&self, repository: &Repository, args: &[&str]) -> Run {
        let run = self.run(repository, args);
        assert_eq!(run.code, Some(0), "{args:?}\n{}\n{}\n{}", run.stdout, run.stderr, self.get("calls"));
        run
    }
}
