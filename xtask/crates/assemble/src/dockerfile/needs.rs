//! What a Dockerfile needs that not every builder has: for those who hand it to another one.

use std::fmt;

use super::{CommandLine, Dockerfile, Instruction};
use crate::error::Problems;

/// Something that older builders do not understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// A command: it must be run on the architecture that it is for.
    Run,
    /// `RUN --mount`.
    Mount,
    /// `RUN --network`.
    RunNetwork,
    /// A here-document.
    Heredoc,
    /// `COPY --link`.
    Link,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "RUN",
            Self::Mount => "RUN --mount",
            Self::RunNetwork => "RUN --network",
            Self::Heredoc => "a here-document",
            Self::Link => "COPY --link",
        })
    }
}

/// A feature, and the line on which it is first needed, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The line.
    pub line: usize,
    /// The feature.
    pub feature: Feature,
}

/// What a Dockerfile needs, each feature once, sorted by line. `name` is for errors.
///
/// # Errors
/// All that is wrong with it.
pub fn needs(name: &str, text: &str) -> Result<Vec<Need>, Problems> {
    let parsed = Dockerfile::parse(name, text)?;
    let mut needs: Vec<Need> = Vec::new();
    for located in parsed.stages.iter().flat_map(|stage| &stage.instructions) {
        for feature in features(&located.value) {
            if !needs.iter().any(|need| need.feature == feature) {
                needs.push(Need { line: located.line, feature });
            }
        }
    }
    Ok(needs)
}

fn features(instruction: &Instruction) -> Vec<Feature> {
    let all = match instruction {
        Instruction::Run(run) => {
            // Lines that are continued were joined: only a here-document leaves an end of line in a command.
            let heredoc = matches!(&run.command, CommandLine::Shell(line) if line.contains('\n'));
            vec![
                (Feature::Run, true),
                (Feature::Mount, !run.mounts.is_empty()),
                (Feature::RunNetwork, run.network.is_some()),
                (Feature::Heredoc, heredoc),
            ]
        }
        Instruction::Copy(copy) => {
            vec![(Feature::Link, copy.link), (Feature::Heredoc, !copy.heredocs.is_empty())]
        }
        _ => Vec::new(),
    };
    all.into_iter().filter(|(_, needed)| *needed).map(|(feature, _)| feature).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_named_with_its_first_line() {
        let text = "FROM scratch AS a\nCOPY x /\nRUN one \\\n  two\nRUN --mount=type=cache,target=/c x\nRUN --network=none y\n\
                    FROM a\nCOPY --link --from=a x y\nCOPY <<E /z\nz\nE\nRUN <<E\nz\nE\n";
        let found: Vec<(usize, Feature)> =
            needs("Dockerfile", text).unwrap().into_iter().map(|need| (need.line, need.feature)).collect();
        let expected = [
            (3, Feature::Run),
            (5, Feature::Mount),
            (6, Feature::RunNetwork),
            (8, Feature::Link),
            (9, Feature::Heredoc),
        ];
        assert_eq!(found, expected);
        let short = needs("Dockerfile", "FROM scratch\nRUN <<E\nz\nE\n").unwrap();
        assert_eq!(short.iter().map(|need| need.feature).collect::<Vec<_>>(), [Feature::Run, Feature::Heredoc]);
        assert!(needs("Dockerfile", "FROM scratch\nCOPPY x /\n").is_err());
    }
}
