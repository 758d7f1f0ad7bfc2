//! Tests in processes of their own: this program again, with another user, terminal, disk or kernel setting.

use std::{env, fs, os::unix::fs::PermissionsExt};

use camino::Utf8PathBuf;
use duct::Expression;

use crate::bench::Bench;

/// The variable by which a child gets the folder of its parent's bench.
pub(crate) const FOLDER: &str = "SANDBOX_TEST_FOLDER";

/// The command line of the ignored test `name` in a process of its own.
pub(crate) fn arguments(name: &str) -> [&str; 4] {
    ["--ignored", "--exact", name, "--nocapture"]
}

/// The ignored test `name` in a process of its own.
pub(crate) fn of(name: &str, bench: &Bench) -> Expression {
    within(&[], &arguments(name), bench)
}

/// This program with `arguments`, started by `prefix`.
pub(crate) fn within(prefix: &[&str], arguments: &[&str], bench: &Bench) -> Expression {
    let program = program(bench);
    command(&[prefix, &[program.as_str()], arguments].concat(), bench)
}

/// A copy of this program: the build folder may be one that only root can enter.
pub(crate) fn program(bench: &Bench) -> Utf8PathBuf {
    let program = bench.path.join("it");
    // Copied here, it would be open for writing in whatever another thread starts meanwhile, and then not be executable.
    duct::cmd!("cp", env::current_exe().unwrap(), &program).run().unwrap();
    for path in [&program, &bench.path] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    program
}

/// A command whose temporary files lie in `bench`: who is killed removes none.
pub(crate) fn command(words: &[&str], bench: &Bench) -> Expression {
    let expression = duct::cmd(words[0], &words[1..]);
    expression.env(FOLDER, &bench.path).env("TMPDIR", &bench.path).dir(&bench.path).unchecked()
}
