//! Sizes, times and tables as text.

use std::time::Duration;

/// Bytes in decimal units, as disks and networks are sold: `1.5 GB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// A time as people say it: `0.3 s`, `12 s`, `3 min 04 s`.
pub fn duration(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{} min {:02} s", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
    }
}

/// `1 image`, `2 images`.
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Rows with aligned columns; the columns in `right` are aligned at their right edge. The last column is not padded.
pub fn table(header: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let header: Vec<String> = header.iter().map(ToString::to_string).collect();
    let width =
        |column: usize| std::iter::once(&header).chain(rows).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut out = String::new();
    for row in std::iter::once(&header).chain(rows) {
        let cell = |(column, text): (usize, &String)| match (right.contains(&column), column + 1 == row.len()) {
            (true, _) => format!("{text:>width$}", width = widths[column]),
            (false, true) => text.clone(),
            (false, false) => format!("{text:<width$}", width = widths[column]),
        };
        let line = row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let sizes: Vec<String> = [0, 999, 1000, 9_940, 64_000, 999_600, 641_534_749, 1_500_000_000].map(bytes).into();
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "9.9 kB", "64 kB", "1.0 MB", "642 MB", "1.5 GB"]);
        let times: Vec<String> = [300, 12_000, 184_000].map(|ms| duration(Duration::from_millis(ms))).into();
        assert_eq!(times, ["0.3 s", "12 s", "3 min 04 s"]);
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".to_owned(), "1 B".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["image", "size", "why"], &rows, &[1]), "image  size  why\na       1 B  x\n");
    }
}
