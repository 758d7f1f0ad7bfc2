//! The manual: a page for `cargo xtask` and one for each command, made of the flags.

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use roff::{Roff, roman};

use crate::flags::Cli;

/// Name and text of each page.
///
/// # Errors
/// A page cannot be written to memory.
pub(crate) fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    let root = Cli::command().name("cargo-xtask").disable_help_subcommand(true);
    page(&mut pages, "cargo xtask", &root)?;
    Ok(pages)
}

fn page(pages: &mut Vec<(String, Vec<u8>)>, typed: &str, command: &Command) -> Result<()> {
    let name = typed.replace(' ', "-");
    let text = render(command.clone().display_name(&name).bin_name(typed));
    pages.push((format!("{name}.1"), text.with_context(|| format!("rendering the page {name}"))?));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        page(pages, &format!("{typed} {}", below.get_name()), below)?;
    }
    Ok(())
}

fn render(command: Command) -> Result<Vec<u8>, std::io::Error> {
    let name = command.get_display_name().unwrap_or_default().to_owned();
    let notes = [command.get_before_help(), command.get_after_help()];
    let notes: Vec<String> = notes.into_iter().flatten().map(ToString::to_string).collect();
    // No date: the same flags give the same bytes.
    let man = Man::new(command.after_help(None::<&str>)).title(&name).date("\"\"").manual("Spark images");
    let mut out = Vec::new();
    man.source(concat!("xtask ", env!("CARGO_PKG_VERSION"))).render(&mut out)?;
    let mut roff = Roff::default();
    if !notes.is_empty() {
        // As they are: examples stand in columns.
        roff.control("SH", ["NOTES"]).control("nf", []);
        for line in notes.join("\n").lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    if name != "cargo-xtask" {
        roff.control("SH", ["SEE ALSO"]).text([roman("cargo-xtask(1), for the options of every command")]);
    }
    out.extend(roff.to_roff().bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_whose_text_is_not_taken_for_requests() {
        let pages = pages().unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["cargo-xtask.1", "cargo-xtask-build-layers.1", "cargo-xtask-store.1", "cargo-xtask-store-verify.1"]
        {
            assert!(names.contains(&name), "{names:?}");
        }
        for (name, text) in &pages {
            let text = std::str::from_utf8(text).unwrap();
            let (first, rest) = text.split_once(".SH NAME\n").unwrap();
            assert!(first.contains(".TH "), "{name}: {first}");
            let known = ["SH", "TP", "PP", "RS", "RE", "IP", "nf", "fi", "br"];
            for line in rest.lines().filter(|line| line.starts_with(['.', '\''])) {
                let request = line[1..].split(' ').next().unwrap();
                assert!(known.contains(&request), "{name}: {line}");
            }
        }
        let (_, push) = pages.iter().find(|(name, _)| name == "cargo-xtask-push.1").unwrap();
        let push = std::str::from_utf8(push).unwrap();
        assert!(
            push.contains(
                "\n  cargo xtask push registry.example/team runtime \\-\\-spark 3.5.7      the runtime images"
            ),
            "{push}"
        );
    }
}
