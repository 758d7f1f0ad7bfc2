//! Outputs of a step of GitHub Actions:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-output-parameter>.

use std::{env, fs::OpenOptions, io::Write as _, path::Path};

use anyhow::{Context as _, Result, bail};
use blob::Digest;

/// Appends outputs to the file that `GITHUB_OUTPUT` names.
///
/// # Errors
/// The variable is not set, or its file cannot be written to.
pub(crate) fn append(outputs: &[(&str, &str)]) -> Result<()> {
    let Some(path) = env::var_os("GITHUB_OUTPUT").filter(|path| !path.is_empty()) else {
        bail!("GITHUB_OUTPUT is not set\nleave out --github-output outside of a step of GitHub Actions");
    };
    append_to(Path::new(&path), outputs)
}

/// In one write, so that nothing of another process comes in between.
fn append_to(path: &Path, outputs: &[(&str, &str)]) -> Result<()> {
    let text: String = outputs.iter().map(|(name, value)| output(name, value)).collect();
    let doing = || format!("appending to {}, which GITHUB_OUTPUT names", path.display());
    let mut file = OpenOptions::new().append(true).create(true).open(path).with_context(doing)?;
    file.write_all(text.as_bytes()).with_context(doing)
}

/// An output as a here-document. Its delimiter is a digest of the value: no value holds its own.
fn output(name: &str, value: &str) -> String {
    let delimiter = format!("end-{}", Digest::of(value.as_bytes()).hex());
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the runner reads the file.
    fn parse(text: &str) -> Vec<(String, String)> {
        let mut lines = text.lines();
        let mut outputs = Vec::new();
        while let Some(line) = lines.next() {
            let (name, delimiter) = line.split_once("<<").unwrap();
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            outputs.push((name.to_owned(), value.join("\n")));
        }
        outputs
    }

    #[test]
    fn outputs_are_read_as_they_were_given_and_what_was_there_stays() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "before<<x\n1\nx\n").unwrap();
        let hostile = output("matrix", "{}");
        let values = [("matrix", "{\"a\":1}"), ("levels", hostile.as_str()), ("empty", "")];
        append_to(file.path(), &values).unwrap();
        let read = parse(&std::fs::read_to_string(file.path()).unwrap());
        assert_eq!(read[0], ("before".to_owned(), "1".to_owned()));
        // A value that ends in a line end loses that one, as it does with the runner.
        let expected = values.map(|(name, value)| (name.to_owned(), value.trim_end_matches('\n').to_owned()));
        assert_eq!(
            read[1..].iter().map(|(n, v)| (n.clone(), v.trim_end_matches('\n').to_owned())).collect::<Vec<_>>(),
            expected
        );
        assert!(append_to(Path::new("/no/such/folder/file"), &values).is_err());
    }
}
