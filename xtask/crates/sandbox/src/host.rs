//! A program of this machine, outside of any box: the client of an engine. With this process's environment.

use std::{
    collections::BTreeMap,
    env,
    io::{self, PipeWriter, Write as _},
    thread,
    time::Instant,
};

use crate::{
    Cancel, Outcome, Output, Stdin,
    process::{self, Input, Streams, Victim},
};

/// Fills the standard input of a program.
pub type Feed<'f> = Box<dyn FnOnce(&mut PipeWriter) -> io::Result<()> + Send + 'f>;

/// A program and what it is given.
pub struct Command<'c> {
    /// The program and its arguments.
    pub argv: &'c [String],
    /// Variables beside those of this process, or in their place.
    pub env: &'c BTreeMap<String, String>,
    /// What it reads, if it reads anything.
    pub stdin: Option<Feed<'c>>,
    /// Where standard output goes.
    pub stdout: Output,
    /// Where standard error goes.
    pub stderr: Output,
}

/// Runs a program to its end, or until `cancel` is used from another thread.
///
/// A program that does not read all that it is given may still succeed: what is behind the end of an archive is nobody's
/// business.
///
/// # Errors
/// It cannot be started ([`io::ErrorKind::NotFound`]: there is no such program), or what it reads could not be made.
pub fn run(command: Command<'_>, cancel: &Cancel) -> io::Result<Outcome> {
    let started = Instant::now();
    let mut environment: process::Environment = env::vars_os().collect();
    environment.extend(command.env.iter().map(|(name, value)| (name.into(), value.into())));
    let run = |stdin| {
        let streams = Streams { stdin, stdout: command.stdout, stderr: command.stderr };
        process::run(command.argv, environment, streams, None, Victim::Program, cancel)
    };
    let ended = match command.stdin {
        None => run(Stdin::Null.into())?,
        Some(feed) => {
            let (reader, mut writer) = io::pipe()?;
            let (ended, fed) = thread::scope(|scope| {
                // The pipe is closed when the feed has ended, well or not.
                let feeder = scope.spawn(move || feed(&mut writer).and_then(|()| writer.flush()));
                let ended = run(Input::Pipe(reader));
                (ended, feeder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            });
            match fed {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                _ => ended?,
            }
        }
    };
    let (status, stdout, stderr) = (ended.status, ended.stdout, ended.stderr);
    Ok(Outcome { status, stdout, stderr, elapsed: started.elapsed(), uid_emulated: false })
}

#[cfg(test)]
mod tests {
    use crate::Status;

    use super::*;

    fn sh(script: &str, stdin: Option<Feed<'_>>) -> io::Result<(Status, String)> {
        let argv = ["/bin/sh", "-c", script].map(String::from);
        let env = BTreeMap::from([("GIVEN".to_owned(), "a b".to_owned())]);
        let command = Command { argv: &argv, env: &env, stdin, stdout: Output::Capture, stderr: Output::Inherit };
        let outcome = run(command, &Cancel::new())?;
        Ok((outcome.status, String::from_utf8_lossy(&outcome.stdout).into_owned()))
    }

    #[test]
    fn a_program_reads_what_it_is_fed() {
        let feed: Feed<'_> = Box::new(|out| out.write_all(&[b'x'; 300_000]));
        assert_eq!(sh("echo \"$GIVEN\"; wc -c", Some(feed)).unwrap(), (Status::Exited(0), "a b\n300000\n".to_owned()));
        assert_eq!(sh("cat", None).unwrap(), (Status::Exited(0), String::new()));
    }

    #[test]
    fn who_stops_reading_decides_how_it_ends() {
        let feed = || -> Feed<'static> { Box::new(|out| out.write_all(&[b'x'; 3_000_000])) };
        assert_eq!(sh("head -c 1 > /dev/null; exit 0", Some(feed())).unwrap().0, Status::Exited(0));
        assert_eq!(sh("exit 7", Some(feed())).unwrap().0, Status::Exited(7));
    }

    #[test]
    fn a_feed_that_fails_is_an_error_whatever_the_program_says() {
        let feed: Feed<'_> = Box::new(|_| Err(io::Error::other("damaged")));
        assert_eq!(sh("cat", Some(feed)).unwrap_err().to_string(), "damaged");
    }

    #[test]
    fn a_program_that_is_not_there_is_told_from_others() {
        let argv = ["/no/such/program".to_owned()];
        let env = BTreeMap::new();
        let command = Command { argv: &argv, env: &env, stdin: None, stdout: Output::Capture, stderr: Output::Capture };
        assert_eq!(run(command, &Cancel::new()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
