//! A smoke run for people, for CI (JUnit) and for programs (JSON).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use blob::Digest;
use serde_json::json;

use super::{Case, Verdict, record::Saved};
use crate::report::text::{count, duration, table};

/// The version of the JSON report.
pub(super) const VERSION: u32 = 1;

/// Prints one line for each image and user, then every failure and every skipped check.
pub(crate) fn print(cases: &[Case]) {
    let mut groups: BTreeMap<(&str, &str), Vec<&Case>> = BTreeMap::new();
    for case in cases {
        groups.entry((&case.image, &case.user)).or_default().push(case);
    }
    let row = |((image, user), cases): (&(&str, &str), &Vec<&Case>)| {
        let number = |wanted: fn(&Verdict) -> bool| cases.iter().filter(|case| wanted(&case.verdict)).count();
        let cell = |n: usize| if n == 0 { String::new() } else { n.to_string() };
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        vec![
            (*image).to_owned(),
            (*user).to_owned(),
            number(|verdict| matches!(verdict, Verdict::Passed(_))).to_string(),
            cell(number(|verdict| matches!(verdict, Verdict::Failed(_)))),
            cell(number(|verdict| matches!(verdict, Verdict::Skipped(_)))),
            names.join(" "),
        ]
    };
    let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
    print!("{}", table(&["IMAGE", "AS", "PASSED", "FAILED", "SKIPPED", "CHECKS"], &rows, &[2, 3, 4]));
    for case in cases {
        let place = format!("{}, {}: {}", case.image, case.user, case.name);
        match &case.verdict {
            Verdict::Passed(_) => {
                if let Some(why) = &case.earlier {
                    println!("flaky    {place}: passed, but failed before: {why}");
                }
            }
            Verdict::Failed(message) => {
                println!("\nFAILED   {place}: {message}");
                if let Some(log) = &case.log {
                    println!("         log: {log}");
                }
                println!("         next: cargo xtask smoke {}", case.again);
            }
            Verdict::Skipped(reason) => println!("skipped  {place}: {reason}"),
        }
    }
    let [passed, failed, skipped] = totals(cases);
    let flaky = flaky(cases);
    println!("\n{}: {passed} passed{flaky}, {failed} failed, {skipped} skipped", count(cases.len(), "check"));
    if failed > 0 {
        println!("to do again what failed: cargo xtask smoke --rerun-failed");
    }
}

/// Of those that passed, how many did so only when they were run again.
fn flaky(cases: &[Case]) -> String {
    match cases.iter().filter(|case| case.earlier.is_some()).count() {
        0 => String::new(),
        flaky => format!(" ({flaky} of them only when run again)"),
    }
}

/// How many passed, failed, were skipped.
pub(crate) fn totals(cases: &[Case]) -> [usize; 3] {
    let mut totals = [0; 3];
    for case in cases {
        totals[match case.verdict {
            Verdict::Passed(_) => 0,
            Verdict::Failed(_) => 1,
            Verdict::Skipped(_) => 2,
        }] += 1;
    }
    totals
}

/// The cases as a JSON document; `interrupted` says that some are missing. `push --require-smoke` reads it.
pub(crate) fn json(cases: &[Case], interrupted: bool) -> serde_json::Value {
    let [passed, failed, skipped] = totals(cases);
    let images = digests(cases);
    let complete = !interrupted && !cases.iter().any(Case::is_interrupted);
    let cases: Vec<_> = cases.iter().map(Saved::from).collect();
    json!({
        "version": VERSION, "complete": complete, "passed": passed, "failed": failed, "skipped": skipped,
        "images": images, "cases": cases,
    })
}

/// The digest of the manifest of each image that was checked. An image that was built anew meanwhile has none: the cases
/// are of two images.
fn digests(cases: &[Case]) -> BTreeMap<&str, Digest> {
    let mut seen: BTreeMap<&str, BTreeSet<Digest>> = BTreeMap::new();
    for case in cases {
        seen.entry(&case.image).or_default().extend(case.digest);
    }
    let single = seen.into_iter().filter(|(_, digests)| digests.len() == 1);
    single.flat_map(|(image, digests)| digests.into_iter().map(move |digest| (image, digest))).collect()
}

/// The cases as JUnit XML, one suite for each image, in the form that GitHub, GitLab and Jenkins read:
/// <https://github.com/testmoapp/junitxml>.
pub(crate) fn junit(cases: &[Case]) -> String {
    let mut suites: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        suites.entry(&case.image).or_default().push(case);
    }
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (image, cases) in suites {
        let owned: Vec<Case> = cases.iter().map(|case| (*case).clone()).collect();
        let [_, failed, skipped] = totals(&owned);
        let tests = cases.len();
        // Writing to a string cannot fail.
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failed}\" skipped=\"{skipped}\">",
            escaped(image)
        );
        if let Some(digest) = digests(&owned).values().next() {
            let _ = writeln!(xml, "    <properties><property name=\"digest\" value=\"{digest}\"/></properties>");
        }
        for case in cases {
            let (name, class) = (escaped(&case.name), escaped(&format!("{} as {}", case.image, case.user)));
            let seconds = case.elapsed.as_secs_f64();
            let _ = write!(xml, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{seconds:.3}\"");
            let _ = match &case.verdict {
                Verdict::Passed(text) => {
                    // As Maven's Surefire says it; those that do not know it see a test that passed.
                    let earlier = case.earlier.as_ref().map_or_else(String::new, |why| {
                        format!("\n      <flakyFailure message=\"{}\"/>", escaped(why))
                    });
                    writeln!(xml, ">{earlier}\n      <system-out>{}</system-out>\n    </testcase>", escaped(text))
                }
                Verdict::Failed(text) => {
                    writeln!(xml, ">\n      <failure message=\"{}\"/>\n    </testcase>", escaped(text))
                }
                Verdict::Skipped(text) => {
                    writeln!(xml, ">\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(text))
                }
            };
        }
        xml.push_str("  </testsuite>\n");
    }
    xml + "</testsuites>\n"
}

/// Text for XML 1.0 and for HTML: the five characters with a meaning are escaped, those that XML cannot hold are replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c < ' ' && !matches!(c, '\t' | '\n' | '\r') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A line for the end of a run.
pub(crate) fn summary(cases: &[Case], elapsed: std::time::Duration) -> String {
    let [passed, failed, skipped] = totals(cases);
    format!("{passed} passed{}, {failed} failed, {skipped} skipped in {}", flaky(cases), duration(elapsed))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn case(name: &str, verdict: Verdict) -> Case {
        let (image, user) = ("spark:1".to_owned(), "random uid".to_owned());
        Case {
            again: image.clone(),
            image,
            digest: Some(Digest::of(b"1")),
            user,
            run: String::new(),
            name: name.to_owned(),
            verdict,
            earlier: None,
            elapsed: Duration::from_millis(1500),
            log: None,
        }
    }

    #[test]
    fn the_digest_is_that_of_all_cases_or_none() {
        let mut cases = [case("a", Verdict::Passed("fine".into())), case("b", Verdict::Skipped("no GPU".into()))];
        assert_eq!(json(&cases, false)["images"]["spark:1"], Digest::of(b"1").to_string());
        assert!(junit(&cases).contains(&format!("<property name=\"digest\" value=\"{}\"/>", Digest::of(b"1"))));
        cases[1].digest = Some(Digest::of(b"2"));
        assert!(json(&cases, false)["images"]["spark:1"].is_null());
    }

    #[test]
    fn junit_holds_every_verdict_and_no_raw_markup() {
        let cases = [
            Case { earlier: Some("a & b".into()), ..case("a", Verdict::Passed("1 < 2".into())) },
            case("b", Verdict::Failed("\"x\" & \u{1b}[31m".into())),
            case("c", Verdict::Skipped("no GPU".into())),
        ];
        let xml = junit(&cases);
        for part in [
            "<testsuite name=\"spark:1\" tests=\"3\" failures=\"1\" skipped=\"1\">",
            "<flakyFailure message=\"a &amp; b\"/>\n      <system-out>1 &lt; 2</system-out>",
            "<failure message=\"&quot;x&quot; &amp; \u{fffd}[31m\"/>",
            "<skipped message=\"no GPU\"/>",
            "time=\"1.500\"",
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }
}
