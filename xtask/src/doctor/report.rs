//! The findings, for people and for programs.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use serde_json::{Value, json};

use super::{Section, State};
use crate::report::{
    done,
    text::{count, duration},
};

/// All that was seen.
pub(crate) struct Report {
    pub(crate) sections: Vec<Section>,
    /// Each registry with what it was asked, for programs.
    pub(crate) registries: Value,
    /// What the images need, for programs.
    pub(crate) needs: Value,
    pub(crate) took: Duration,
}

/// The form of the JSON: moved when a field changes its meaning.
const FORMAT: u32 = 1;

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::LeftOut => "left out",
            Self::Problem => "problem",
        }
    }
}

impl Report {
    fn count(&self, state: State) -> usize {
        self.sections.iter().flat_map(|section| &section.findings).filter(|finding| finding.state == state).count()
    }

    /// Prints one line for each finding and its remedy below it.
    pub(crate) fn print(&self) {
        for section in self.sections.iter().filter(|section| !section.findings.is_empty()) {
            println!("{}", section.name);
            for finding in &section.findings {
                let mut lines = finding.what.lines();
                println!("  {:<9}{}", finding.state.word(), lines.next().unwrap_or_default());
                for line in lines {
                    println!("           {line}");
                }
                for line in finding.remedy.iter().flat_map(|remedy| remedy.lines()) {
                    println!("             -> {line}");
                }
            }
        }
        let (problems, warnings) = (self.count(State::Problem), self.count(State::Warning));
        let left_out = match self.count(State::LeftOut) {
            0 => String::new(),
            n => format!(", {n} left out"),
        };
        let took = duration(self.took);
        println!("{}, {}{left_out}, in {took}", count(problems, "problem"), count(warnings, "warning"));
    }

    /// Prints all of it as one JSON object.
    pub(crate) fn json(&self) -> Result<()> {
        let value = json!({
            "format": FORMAT,
            "problems": self.count(State::Problem),
            "warnings": self.count(State::Warning),
            "left-out": self.count(State::LeftOut),
            "seconds": self.took.as_secs_f64(),
            "needs": self.needs,
            "registries": self.registries,
            "sections": self.sections,
        });
        println!("{}", serde_json::to_string_pretty(&value)?);
        Ok(())
    }

    /// The exit status: whether a build would fail, or leave something out.
    pub(crate) fn status(&self) -> ExitCode {
        match self.count(State::Problem) {
            0 => done(self.count(State::LeftOut) > 0),
            _ => ExitCode::FAILURE,
        }
    }
}
