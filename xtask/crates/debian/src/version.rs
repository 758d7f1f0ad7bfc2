//! The order of Debian's version numbers.
//!
//! <https://www.debian.org/doc/debian-policy/ch-controlfields.html#version>: `epoch:upstream-revision`, each part
//! compared as runs of non-digits and of digits in turn; `~` comes before everything, even the end.

use std::cmp::Ordering;

/// Compares two versions as dpkg does.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a_epoch, a_upstream, a_revision) = split(a);
    let (b_epoch, b_upstream, b_revision) = split(b);
    compare_digits(a_epoch.as_bytes(), b_epoch.as_bytes())
        .then_with(|| compare_part(a_upstream.as_bytes(), b_upstream.as_bytes()))
        .then_with(|| compare_part(a_revision.as_bytes(), b_revision.as_bytes()))
}

/// Epoch, upstream version and revision; a missing epoch or revision counts as 0 and compares as the empty text.
fn split(version: &str) -> (&str, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = a.split_at(run(a, |byte| !byte.is_ascii_digit()));
        let (b_text, b_rest) = b.split_at(run(b, |byte| !byte.is_ascii_digit()));
        let (a_digits, a_after) = a_rest.split_at(run(a_rest, u8::is_ascii_digit));
        let (b_digits, b_after) = b_rest.split_at(run(b_rest, u8::is_ascii_digit));
        let order = compare_text(a_text, b_text).then_with(|| compare_digits(a_digits, b_digits));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_after, b_after);
    }
    Ordering::Equal
}

fn run(text: &[u8], holds: impl Fn(&u8) -> bool) -> usize {
    text.iter().take_while(|byte| holds(byte)).count()
}

/// `~` before the end before letters before all else.
fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    (0..a.len().max(b.len()))
        .map(|at| weight(a.get(at)).cmp(&weight(b.get(at))))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Numbers of any length.
fn compare_digits(a: &[u8], b: &[u8]) -> Ordering {
    let significant = |digits: &[u8]| digits.len() - run(digits, |byte| *byte == b'0');
    significant(a).cmp(&significant(b)).then_with(|| {
        let tail = significant(a);
        a[a.len() - tail..].cmp(&b[b.len() - tail..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, order) in [
            ("1.0", "1.0", Equal),
            ("0:1.0", "1.0", Equal),
            ("1.0", "1.0-0", Equal),
            ("1.0-0", "1.0-00", Equal),
            ("00001", "1", Equal),
            ("1.9", "1.10", Less),
            ("1:0.1", "9.9", Greater),
            ("10:1", "9:1", Greater),
            ("1.0~rc1", "1.0", Less),
            ("1.0~~", "1.0~", Less),
            ("1.0~~a", "1.0~", Less),
            ("1.0~", "1.0", Less),
            ("1.0a", "1.0", Greater),
            ("1.0a", "1.0b", Less),
            ("1.0+b1", "1.0", Greater),
            ("1.0+b1", "1.0a", Greater),
            ("1.0-1", "1.0-1+b1", Less),
            ("1.0-1+deb12u1", "1.0-1+deb12u10", Less),
            ("1.0-1~deb12u1", "1.0-1", Less),
            ("2.36-9+deb12u14", "2.36-9+deb12u9", Greater),
            ("17.0.21.1+2-1~deb12u1", "17.0.21+9-1~deb12u1", Greater),
            ("1.2-3-4", "1.2-3-5", Less),
            ("1.2-3.1", "1.2-3", Greater),
            ("20250419~deb12u2", "20250419", Less),
            ("99999999999999999999999", "100000000000000000000000", Less),
            ("", "0", Equal),
            ("a", "", Greater),
        ] {
            assert_eq!(compare(a, b), order, "{a} {b}");
            assert_eq!(compare(b, a), order.reverse(), "{b} {a}");
        }
    }
}
