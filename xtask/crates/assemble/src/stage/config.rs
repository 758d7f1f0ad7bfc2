//! The instructions that change only the configuration.

use super::{Refused, State, Surroundings};
use crate::{
    dockerfile::{Arg, CommandLine, Expand, Instruction, Pair, quoted_list},
    oci::Empty,
};

impl State {
    pub(super) fn configure(&mut self, instruction: &Instruction, around: &Surroundings<'_>) -> Result<(), Refused> {
        // Words are expanded with the variables as they were before the instruction.
        let before = self.variables.clone();
        let expand = Expand { escape: around.escape, variables: &before };
        let text = match instruction {
            Instruction::Arg(args) => self.arg(args, &expand, around)?,
            Instruction::Env(pairs) => self.env(pairs, &expand)?,
            Instruction::Label(pairs) => self.label(pairs, &expand)?,
            Instruction::User(user) => {
                self.config.config.user = expand.word(user)?;
                format!("USER {}", self.config.config.user)
            }
            Instruction::Entrypoint(command) => {
                let command = self.command(command);
                let text = format!("ENTRYPOINT {}", quoted_list(&command));
                self.config.config.entrypoint = (!command.is_empty()).then_some(command);
                // An inherited CMD was meant for the inherited entry point.
                if !self.cmd_set {
                    self.config.config.cmd = None;
                }
                text
            }
            Instruction::Cmd(command) => {
                let command = self.command(command);
                let text = format!("CMD {}", quoted_list(&command));
                self.config.config.cmd = (!command.is_empty()).then_some(command);
                self.config.config.args_escaped = true;
                self.cmd_set = true;
                text
            }
            Instruction::Shell(words) => {
                self.config.config.shell = Some(words.clone());
                format!("SHELL [{}]", words.join(" "))
            }
            Instruction::Expose(ports) => self.expose(ports, &expand)?,
            Instruction::Volume(paths) => self.volume(paths, &expand)?,
            Instruction::StopSignal(signal) => {
                let signal = expand.word(signal)?;
                check_signal(&signal)?;
                let text = format!("STOPSIGNAL {signal}");
                self.config.config.stop_signal = Some(signal);
                text
            }
            Instruction::Healthcheck(health) => {
                self.config.config.healthcheck = Some(health.clone());
                format!("HEALTHCHECK {}", quoted_list(&health.test))
            }
            Instruction::Copy(_) | Instruction::Run(_) | Instruction::Workdir(_) => {
                unreachable!("instructions that make layers are run elsewhere")
            }
        };
        self.history(text, true, around);
        Ok(())
    }

    fn arg(&mut self, args: &[Arg], expand: &Expand<'_>, around: &Surroundings<'_>) -> Result<String, Refused> {
        let mut text = "ARG".to_owned();
        for arg in args {
            let value = match (around.args.get(&arg.name), &arg.default) {
                (Some(given), _) => Some(given.clone()),
                (None, Some(default)) => Some(expand.word(default)?),
                (None, None) => around.globals.get(&arg.name).cloned(),
            };
            text += &format!(" {}", arg.name);
            if !self.args.contains(&arg.name) {
                self.args.push(arg.name.clone());
            }
            if let Some(value) = value {
                text += &format!("={value}");
                self.variables.insert(arg.name.clone(), value);
            }
        }
        Ok(text)
    }

    fn env(&mut self, pairs: &[Pair], expand: &Expand<'_>) -> Result<String, Refused> {
        let mut text = "ENV".to_owned();
        for pair in pairs {
            let (key, value) = (expand.word(&pair.key)?, expand.word(&pair.value)?);
            let entry = format!("{key}={value}");
            text += &format!(" {entry}");
            let same = |other: &&mut String| other.split_once('=').is_some_and(|(other, _)| other == key);
            match self.config.config.env.iter_mut().find(same) {
                Some(place) => *place = entry,
                None => self.config.config.env.push(entry),
            }
            self.variables.insert(key, value);
        }
        Ok(text)
    }

    fn label(&mut self, pairs: &[Pair], expand: &Expand<'_>) -> Result<String, Refused> {
        let mut text = "LABEL".to_owned();
        for pair in pairs {
            let (key, value) = (expand.word(&pair.key)?, expand.word(&pair.value)?);
            text += &format!(" {key}={value}");
            self.config.config.labels.insert(key, value);
        }
        Ok(text)
    }

    fn expose(&mut self, ports: &[String], expand: &Expand<'_>) -> Result<String, Refused> {
        let mut exposed = Vec::new();
        for word in ports {
            for port in expand.words(word)? {
                exposed.extend(expand_ports(&port)?);
            }
        }
        let text = format!("EXPOSE [{}]", exposed.join(" "));
        self.config.config.exposed_ports.extend(exposed.into_iter().map(|port| (port, Empty {})));
        Ok(text)
    }

    fn volume(&mut self, paths: &[String], expand: &Expand<'_>) -> Result<String, Refused> {
        let mut volumes = Vec::new();
        for path in paths {
            let path = expand.word(path)?;
            if path.trim().is_empty() {
                return Err("VOLUME needs a path, found nothing".to_owned());
            }
            self.config.config.volumes.insert(path.clone(), Empty {});
            volumes.push(path);
        }
        Ok(format!("VOLUME [{}]", volumes.join(" ")))
    }

    /// A command as a list; a line for the shell is given to the stage's shell.
    pub(super) fn command(&self, command: &CommandLine) -> Vec<String> {
        match command {
            CommandLine::Exec(words) => words.clone(),
            CommandLine::Shell(line) => {
                let usual = || vec!["/bin/sh".to_owned(), "-c".to_owned()];
                let mut words = self.config.config.shell.clone().unwrap_or_else(usual);
                words.push(line.clone());
                words
            }
        }
    }
}

/// `80`, `80/udp`, `8000-8002` as single ports with their protocol.
fn expand_ports(text: &str) -> Result<Vec<String>, Refused> {
    let wrong = || format!("`{text}` is no port; write 8080, 8080/udp or 8000-8010");
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(wrong());
    }
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let port = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let (from, to) = (port(from)?, port(to)?);
    if from > to {
        return Err(wrong());
    }
    Ok((from..=to).map(|port| format!("{port}/{protocol}")).collect())
}

/// The names of Linux's signals; those for real time are `RTMIN` and `RTMAX` with a distance.
const SIGNALS: &str = "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP \
                       SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX";

fn check_signal(signal: &str) -> Result<(), Refused> {
    let upper = signal.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let distance = |rest: &str| rest.parse::<u32>().is_ok_and(|distance| distance <= 15);
    let known = signal.parse::<u32>().map_or_else(
        |_| {
            SIGNALS.split(' ').any(|known| known == name)
                || name.strip_prefix("RTMIN+").is_some_and(distance)
                || name.strip_prefix("RTMAX-").is_some_and(distance)
        },
        |number| (1..=64).contains(&number),
    );
    if known { Ok(()) } else { Err(format!("`{signal}` is no signal; write SIGTERM or a number from 1 to 64")) }
}
