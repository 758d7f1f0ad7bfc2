//! Asks for what the flags would say.

use std::io::{BufRead, Write};

use anyhow::{Result, bail};
use camino::Utf8PathBuf;
use registries::{Kind, Registries};

use super::Wish;
use crate::doctor::reach::endpoints;

/// Asks for each kind; an empty line keeps what there is.
///
/// # Errors
/// The input ends before the last answer.
pub(crate) fn ask(input: &mut impl BufRead, out: &mut impl Write, found: &Registries) -> Result<Wish> {
    let mut wish = Wish::default();
    writeln!(
        out,
        "Where do packages come from? An empty line keeps what is found now; several addresses with blanks between."
    )?;
    for kind in Kind::ALL {
        let now: Vec<String> = endpoints(found)
            .filter(|(of, ..)| *of == kind)
            .map(|(_, _, endpoint, _)| format!("{} ({})", endpoint.url, endpoint.found_in))
            .collect();
        let now = if now.is_empty() { "none".to_owned() } else { now.join("\n       ") };
        writeln!(out, "\n{}\n  now: {now}", question(kind))?;
        // What is wrong is said at once, and asked again.
        loop {
            let answer = line(input, out, kind.name())?;
            let mut next = wish.clone();
            match answer.split_whitespace().try_for_each(|url| next.add(kind, url)) {
                Ok(()) => break wish = next,
                Err(error) => writeln!(out, "  {error:#}")?,
            }
        }
    }
    writeln!(out, "\nA PEM file of the authority that signs for your proxy or registries, if it is one of your own")?;
    loop {
        let answer = line(input, out, "ca")?;
        match if answer.is_empty() { Ok(()) } else { wish.add_ca(&Utf8PathBuf::from(answer)) } {
            Ok(()) => return Ok(wish),
            Err(error) => writeln!(out, "  {error:#}")?,
        }
    }
}

fn question(kind: Kind) -> &'static str {
    match kind {
        Kind::Maven => "Maven repository, below which `org/` lies",
        Kind::Pypi => "Simple index of Python packages, below which `pip/` lies",
        Kind::Debian => "Debian archive, below which `dists/` lies",
    }
}

fn line(input: &mut impl BufRead, out: &mut impl Write, name: &str) -> Result<String> {
    write!(out, "  {name}> ")?;
    out.flush()?;
    let mut text = String::new();
    if input.read_line(&mut text)? == 0 {
        bail!("the input has ended; nothing was written");
    }
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answers: &str) -> (Result<Wish>, String) {
        let mut out = Vec::new();
        let wish = ask(&mut answers.as_bytes(), &mut out, &Registries::default());
        (wish, String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_wrong_is_asked_again_and_what_is_empty_is_kept() {
        let (wish, out) = answered(
            "ftp://ann:hidden@h\nhttps://m.example https://n.example\n\nhttps://d.example/debian\n/no/such\n\n",
        );
        let wish = wish.unwrap();
        let urls = |kind| wish.registries.get(&kind).map_or(0, Vec::len);
        assert_eq!((urls(Kind::Maven), urls(Kind::Pypi), urls(Kind::Debian)), (2, 0, 1));
        assert!(wish.ca.is_empty() && out.contains("expected the scheme https") && out.contains("/no/such"), "{out}");
        assert!(!out.contains("hidden"), "{out}");
    }

    #[test]
    fn an_end_of_the_input_is_no_answer() {
        assert!(answered("\n\n").0.unwrap_err().to_string().contains("nothing was written"));
    }
}
