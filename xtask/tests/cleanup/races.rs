//! A question on a terminal, what changes meanwhile, and runs that are stopped.

use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    process::{Child, Command, Stdio},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use crate::old::{Ended, Old, named};

/// The command with a terminal as its standard input, stopped at its question.
struct Asked {
    child: Child,
    terminal: fs::File,
}

impl Asked {
    fn of(mut command: Command) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let stdin = fs::File::options().read(true).write(true).open(OsStr::from_bytes(name.as_bytes())).unwrap();
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut said, mut byte) = (Vec::new(), [0]);
        while !said.ends_with(b"type `yes`: ") {
            let stderr = child.stderr.as_mut().unwrap();
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
            said.push(byte[0]);
        }
        Self { child, terminal: terminal.into() }
    }

    fn answer(mut self, answer: &str) -> Ended {
        writeln!(self.terminal, "{answer}").unwrap();
        Ended::of(&self.child.wait_with_output().unwrap())
    }
}

#[test]
fn on_a_terminal_it_asks() {
    let old = Old::new();
    let before = old.files();
    for answer in ["", "y", "no", "yes please"] {
        Asked::of(old.command(&[])).answer(answer).ends(1).says("error: nothing was removed");
        assert_eq!(old.files(), before);
    }
    Asked::of(old.command(&[])).answer("yes").ends(1).says("removed 16 files");
    old.is_clean();
}

#[test]
fn what_is_replaced_while_it_asks_is_left() {
    let old = Old::new();
    let core = old.path("docker/docker-base/spark-core");
    // A folder for a link to elsewhere; a parent for one; a file for another; one more file.
    let changes: [&dyn Fn(); 4] = [
        &|| {
            fs::rename(&core, old.path("../moved")).unwrap();
            symlink("../../../outside", &core).unwrap();
        },
        &|| {
            fs::rename(old.path("docker"), old.path("../moved")).unwrap();
            symlink("../moved", old.path("docker")).unwrap();
        },
        &|| fs::write(old.path("build-all.sh"), "docker/docker-intermediate, and my own work").unwrap(),
        &|| fs::write(core.join("mine"), "mine").unwrap(),
    ];
    for change in changes {
        let asked = Asked::of(old.command(&[]));
        change();
        asked.answer("yes").ends(1).says("nothing was removed: ").says("was changed since this was shown");
        old.outside_is_well();
        if old.path("../moved").exists() {
            let place = if core.is_symlink() { core.clone() } else { old.path("docker") };
            fs::remove_file(&place).unwrap();
            fs::rename(old.path("../moved"), place).unwrap();
        }
        fs::remove_file(core.join("mine")).ok();
        assert_eq!(old.git(&["diff", "--name-only", "--diff-filter=D"]), "");
        old.git(&["checkout", "--", "."]);
    }
}

#[test]
fn killed_at_any_time_the_next_run_ends_the_same() {
    let old = Old::new();
    for n in 0..200 {
        old.write(format!("docker/docker-base/spark-core/many/{n:03}/file"), "a");
    }
    old.commit();
    let watched =
        ["000/file", "020/file", "150", "199/file"].map(|name| format!("docker/docker-base/spark-core/many/{name}"));
    for (watched, signal) in watched.iter().zip([Signal::KILL, Signal::INT, Signal::KILL, Signal::TERM]) {
        let mut child = old.command(&["--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while old.path(watched).exists() {
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        // 130: it was told to stop. 1: it had removed everything by then.
        let code = child.wait().unwrap().code();
        assert!(
            if signal == Signal::KILL { [None, Some(1)] } else { [Some(130), Some(1)] }.contains(&code),
            "{code:?}"
        );
        let run = old.run(&["--yes", "--json"]);
        assert_eq!(run.ends(1).still_named(), named());
        old.is_clean();
        old.git(&["checkout", "--", "."]);
    }
    // Killed before the last folder, it leaves one that git does not know.
    old.run(&["--yes"]).ends(1);
    fs::create_dir_all(old.path("docker/spark-custom/3.5.7")).unwrap();
    old.run(&["--yes"]).ends(1);
    old.is_clean();
    // Two at once.
    old.git(&["checkout", "--", "."]);
    let spawn = || old.command(&["--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut both = [spawn(), spawn()];
    for child in &mut both {
        child.wait().unwrap();
    }
    old.run(&["--yes"]).ends(1);
    old.is_clean();
}
