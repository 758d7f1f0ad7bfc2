//! One line of output: its colours taken off, its level, and the shapes of text that Maven 3.9 prints.
//!
//! The shapes are those of `ExecutionEventLogger` and `ReactorBuildStatus` of Maven 3.9; that of 3.8, with whole plugin
//! names, is understood too.

/// The level before a line of Maven's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warning,
    Error,
}

/// A line without its colours, its carriage return and its level.
pub(super) fn split(line: &str) -> (Option<Level>, String) {
    let plain = without_colours(line);
    let plain = plain.trim_end();
    for (prefix, level) in [
        ("[INFO]", Level::Info),
        ("[WARNING]", Level::Warning),
        ("[WARN]", Level::Warning),
        ("[ERROR]", Level::Error),
        ("[FATAL]", Level::Error),
    ] {
        if let Some(text) = plain.strip_prefix(prefix) {
            return (Some(level), text.strip_prefix(' ').unwrap_or(text).to_owned());
        }
    }
    (None, plain.to_owned())
}

/// `line` without the escape sequences of ECMA-48 (`ESC [ ... letter`).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(sequence) = rest.strip_prefix('[') {
            let end = sequence.find(|c: char| ('@'..='~').contains(&c));
            rest = end.map_or("", |end| &sequence[end + 1..]);
        }
    }
    plain.push_str(rest);
    plain
}

/// `----< group:artifact >----`, which comes before a module: the artifact.
pub(super) fn header(text: &str) -> Option<&str> {
    let inner = text.trim_matches('-').strip_prefix("< ")?.strip_suffix(" >")?;
    text.starts_with('-').then(|| inner.split_once(':').map(|(_, artifact)| artifact))?
}

/// `Building Spark Project Core 3.5.7    [14/34]`: name, and number and total where a reactor counts them.
pub(super) fn building(text: &str) -> Option<(&str, Option<(usize, usize)>)> {
    let rest = text.strip_prefix("Building ")?.trim_end();
    let (named, count) = match rest.rsplit_once(" [").and_then(|(named, count)| Some((named, counted(count)?))) {
        Some((named, count)) => (named.trim_end(), Some(count)),
        None => (rest, None),
    };
    Some((named.rsplit_once(' ').map_or(named, |(name, _version)| name), count))
}

fn counted(text: &str) -> Option<(usize, usize)> {
    let (number, total) = text.strip_suffix(']')?.split_once('/')?;
    Some((number.parse().ok()?, total.parse().ok()?))
}

/// A line of the Reactor Build Order, `Spark Project Core     [jar]`: the name.
pub(super) fn in_order(text: &str) -> Option<&str> {
    let (name, packaging) = text.strip_suffix(']')?.rsplit_once('[')?;
    let sound = !packaging.is_empty() && packaging.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (sound && !name.trim().is_empty()).then(|| name.trim())
}

/// `--- scala:4.8.0:compile (scala-compile-first) @ spark-core_2.12 ---`, or with `>>>` or `<<<`: goal and artifact.
pub(super) fn goal(text: &str) -> Option<(String, &str)> {
    let inner = ["---", ">>>", "<<<"].iter().find_map(|mark| text.strip_prefix(mark)?.strip_suffix(mark))?;
    let (goal, artifact) = inner.trim().rsplit_once(" @ ")?;
    let goal = goal.split_whitespace().next()?;
    Some((short_goal(goal)?, artifact.trim()))
}

/// `[group:]plugin:version:goal` as `plugin:goal`.
pub(super) fn short_goal(goal: &str) -> Option<String> {
    let parts: Vec<&str> = goal.split(':').collect();
    match parts[..] {
        [.., plugin, _version, goal] => Some(format!("{plugin}:{goal}")),
        _ => None,
    }
}

/// How a module ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was built.
    Success,
    /// It was not.
    Failure,
    /// An earlier one failed, or it was not asked for.
    Skipped,
}

/// A line of the Reactor Summary: name, outcome, and seconds where there are any.
pub(super) fn summary(text: &str) -> Option<(&str, Outcome, Option<f64>)> {
    for (word, outcome) in
        [(" SUCCESS", Outcome::Success), (" FAILURE", Outcome::Failure), (" SKIPPED", Outcome::Skipped)]
    {
        let Some((name, rest)) = text.rsplit_once(word) else { continue };
        let rest = rest.trim();
        let seconds = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(seconds);
        if rest.is_empty() || seconds.is_some() {
            return Some((name.trim_end_matches(['.', ' ']), outcome, seconds));
        }
    }
    None
}

/// A time as Maven prints it: `1.429 s`, `01:20 min`, `01:02 h`, `1 d 02:03 h`.
fn seconds(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().rsplit_once(' ')?;
    if unit == "s" {
        return number.trim().parse().ok();
    }
    let (days, clock) = match number.rsplit_once(" d ") {
        Some((days, clock)) => (days.trim().parse::<f64>().ok()?, clock),
        None => (0.0, number),
    };
    let (large, small) = clock.trim().split_once(':')?;
    let (large, small): (f64, f64) = (large.parse().ok()?, small.parse().ok()?);
    match unit {
        "min" => Some(large * 60.0 + small),
        "h" => Some(days * 86_400.0 + large * 3_600.0 + small * 60.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_levels_and_carriage_returns_are_taken_off() {
        let line = "[\u{1b}[1;31mERROR\u{1b}[m] Failed to execute goal \u{1b}[32mg:a:1:compile\u{1b}[m \r\n";
        assert_eq!(split(line), (Some(Level::Error), "Failed to execute goal g:a:1:compile".to_owned()));
        assert_eq!(split("[FATAL] x"), (Some(Level::Error), "x".to_owned()));
        assert_eq!(split("+ cd ..").0, None);
        assert_eq!(split("\u{1b}[").1, "");
    }

    #[test]
    fn shapes_are_read() {
        assert_eq!(header("------< org.apache.spark:spark-core_2.12 >-----"), Some("spark-core_2.12"));
        assert_eq!(header("--------------------------------[ jar ]---------------------------------"), None);
        let core = "Building Spark Project Core 3.5.7                                [14/34]";
        assert_eq!(building(core), Some(("Spark Project Core", Some((14, 34)))));
        assert_eq!(building("Building demo 1.0"), Some(("demo", None)));
        assert_eq!(in_order("Spark Project Parent POM          [pom]"), Some("Spark Project Parent POM"));
        assert_eq!(in_order("Copying 1 file [to target/x y]"), None);
        let scala = "--- scala:4.8.0:compile (scala-compile-first) @ spark-core_2.12 ---";
        assert_eq!(goal(scala), Some(("scala:compile".to_owned(), "spark-core_2.12")));
        let fork = ">>> source:3.1.0:jar (default) > generate-sources @ spark-core_2.12 >>>";
        assert_eq!(goal(fork), Some(("source:jar".to_owned(), "spark-core_2.12")));
        let old = "--- maven-compiler-plugin:3.11.0:compile (default-compile) @ demo ---";
        assert_eq!(goal(old), Some(("maven-compiler-plugin:compile".to_owned(), "demo")));
        assert_eq!(goal("----------"), None);
        assert_eq!(goal("---"), None);
    }

    #[test]
    fn times_of_all_sizes_are_read() {
        let of = |text: &str| summary(&format!("Spark Project Core ....... SUCCESS [{text}]")).and_then(|(.., s)| s);
        assert_eq!(of("  1.429 s"), Some(1.429));
        assert_eq!(of("01:20 min"), Some(80.0));
        assert_eq!(of("01:02 h"), Some(3_720.0));
        assert_eq!(of("1 d 02:03 h"), Some(93_780.0));
        assert_eq!(of("soon"), None);
        assert_eq!(summary("Spark Project SQL ..... SKIPPED"), Some(("Spark Project SQL", Outcome::Skipped, None)));
        assert_eq!(summary("BUILD FAILURE"), Some(("BUILD", Outcome::Failure, None)), "so only asked in the summary");
    }
}
