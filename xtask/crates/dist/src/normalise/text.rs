//! The texts in a jar that say when, where and by whom it was made.

/// The user that `spark-submit --version` names.
pub(super) const USER: &str = "spark-images";

/// Attributes of a manifest that differ from compile to compile.
const ATTRIBUTES: &[&str] = &[
    "Archiver-Timestamp",
    "Bnd-LastModified",
    "Build-Date",
    "Build-Host",
    "Build-Time",
    "Build-Timestamp",
    "Built-At",
    "Built-By",
    "Built-On",
    "Hudson-Build-Number",
    "Implementation-Build-Date",
    "Os-Version",
];

/// The text with what differs taken out or fixed, and the names of what that was. Nothing where there is no such thing.
pub(super) fn normalised(name: &str, text: &str, epoch: u64) -> Option<(String, Vec<String>)> {
    let (lines, changed) = match name {
        "META-INF/MANIFEST.MF" => manifest(text),
        "spark-version-info.properties" => version_info(text, epoch),
        name if name.ends_with(".properties") => properties(text),
        _ => return None,
    };
    (!changed.is_empty()).then_some((lines, changed))
}

/// Whether [`normalised`] has anything to say about an entry of this name.
pub(super) fn concerns(name: &str) -> bool {
    name == "META-INF/MANIFEST.MF" || name.ends_with(".properties")
}

/// A manifest without some of its attributes. A line that begins with a space goes on with the one before.
fn manifest(text: &str) -> (String, Vec<String>) {
    let (mut kept, mut changed, mut dropping) = (String::with_capacity(text.len()), Vec::new(), false);
    for line in text.split_inclusive('\n') {
        if !line.starts_with(' ') {
            let name = line.split_once(':').map_or("", |(name, _)| name);
            dropping = ATTRIBUTES.iter().any(|attribute| attribute.eq_ignore_ascii_case(name));
            if dropping {
                changed.push(name.to_owned());
            }
        }
        if !dropping {
            kept.push_str(line);
        }
    }
    (kept, changed)
}

/// What Spark's `build/spark-build-info` writes. Revision, branch and URL are empty outside of a Git checkout, and the
/// source's own inside of one: they stay.
fn version_info(text: &str, epoch: u64) -> (String, Vec<String>) {
    let (mut lines, mut changed) = (String::with_capacity(text.len()), Vec::new());
    for line in text.split_inclusive('\n') {
        let value = match line.trim_end().split_once('=') {
            Some(("date", _)) => Some(("date", iso(epoch))),
            Some(("user", _)) => Some(("user", USER.to_owned())),
            _ => None,
        };
        match value.map(|(key, value)| (key, format!("{key}={value}\n"))) {
            Some((key, new)) if new != line => {
                lines.push_str(&new);
                changed.push(format!("{key}="));
            }
            _ => lines.push_str(line),
        }
    }
    (lines, changed)
}

/// Properties without the comment that `java.util.Properties.store` writes: `#Mon Nov 24 10:00:00 UTC 2025`.
fn properties(text: &str) -> (String, Vec<String>) {
    let (dates, kept): (Vec<&str>, Vec<&str>) = text.split_inclusive('\n').partition(|line| is_date(line));
    (kept.concat(), dates.into_iter().map(|line| line.trim_end().to_owned()).collect())
}

fn is_date(line: &str) -> bool {
    let Some(words) = line.strip_prefix('#') else { return false };
    let words: Vec<&str> = words.split_whitespace().collect();
    let [day, month, date, clock, rest @ ..] = &words[..] else { return false };
    let year = rest.last().is_some_and(|year| year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()));
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(day)
        && MONTHS.contains(month)
        && date.bytes().all(|b| b.is_ascii_digit())
        && clock.bytes().all(|b| b.is_ascii_digit() || b == b':')
        && year
        && rest.len() <= 2
}

const MONTHS: &[&str] = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970 as year, month, day, hour, minute and second of UTC, in the proleptic Gregorian calendar
/// (<https://howardhinnant.github.io/date_algorithms.html>, `civil_from_days`).
pub(super) fn civil(epoch: u64) -> (u64, u8, u8, u8, u8, u8) {
    let (days, second) = (epoch / 86_400 + 719_468, epoch % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    (year, month as u8, day as u8, (second / 3_600) as u8, (second / 60 % 60) as u8, (second % 60) as u8)
}

fn iso(epoch: u64) -> String {
    let (year, month, day, hour, minute, second) = civil(epoch);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(1_793_491_200), "2026-11-01T00:00:00Z");
        assert_eq!(iso(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(iso(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(iso(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn attributes_go_with_their_further_lines() {
        let text = "Manifest-Version: 1.0\r\nBuilt-By: a very long\r\n  user name\r\nBuild-Jdk-Spec: 17\r\n\r\n";
        let (kept, changed) = normalised("META-INF/MANIFEST.MF", text, 0).expect("a change");
        assert_eq!(kept, "Manifest-Version: 1.0\r\nBuild-Jdk-Spec: 17\r\n\r\n");
        assert_eq!(changed, ["Built-By"]);
        assert_eq!(normalised("META-INF/MANIFEST.MF", &kept, 0), None);
    }

    #[test]
    fn only_comments_that_are_dates_go() {
        let text = "#Generated by Maven\n#Mon Nov 24 10:00:00 UTC 2025\r\nversion=1\n#Mon is a day\n";
        let (kept, changed) = normalised("META-INF/maven/g/a/pom.properties", text, 0).expect("a change");
        assert_eq!(kept, "#Generated by Maven\nversion=1\n#Mon is a day\n");
        assert_eq!(changed, ["#Mon Nov 24 10:00:00 UTC 2025"]);
    }

    #[test]
    fn sparks_version_info_gets_a_fixed_date_and_user() {
        let text = "version=3.5.7\nuser=runner\nrevision=ed00\nbranch=HEAD\ndate=2025-09-17T20:37:30Z\nurl=\n";
        let (fixed, changed) = normalised("spark-version-info.properties", text, 1_793_491_200).expect("a change");
        let wanted = "version=3.5.7\nuser=spark-images\nrevision=ed00\nbranch=HEAD\ndate=2026-11-01T00:00:00Z\nurl=\n";
        assert_eq!(fixed, wanted);
        assert_eq!(changed, ["user=", "date="]);
        assert_eq!(normalised("spark-version-info.properties", &fixed, 1_793_491_200), None);
    }
}
