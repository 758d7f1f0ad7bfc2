//! dpkg's database, as if dpkg had installed and configured the packages.
//!
//! `status` and `info/` are what scanners read and what dpkg needs to upgrade, verify or remove a package in a derived
//! image. Unlike dpkg with `--path-exclude`, the lists name nothing that was left out: `dpkg --verify` then misses
//! nothing, and what it does report is real. Triggers, diversions and overridden modes are what dpkg needs to install
//! further packages. Formats: dpkg's own output and
//! <https://manpages.debian.org/stable/dpkg-dev/deb-triggers.5.en.html>.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Recipe, package::Package, tree::Tree, writer::Meta};

/// Where dpkg keeps its database.
const ADMIN: &str = "var/lib/dpkg";

/// The order in which dpkg writes the fields of its status file (`fieldinfos` in its `lib/dpkg/parse.c`). All other
/// fields follow in the order of the package. The values of `Status` and `Conffiles` are dpkg's own.
const FIELDS: [&str; 23] = [
    "Package",
    "Essential",
    "Protected",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Origin",
    "Maintainer",
    "Bugs",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
];

/// The MD5 sum of `bytes` in hexadecimal, as dpkg writes it.
pub(super) fn md5(bytes: &[u8]) -> String {
    format!("{:x}", md5::compute(bytes))
}

/// Adds the database of these packages. The owners of overridden modes are named after the accounts in `tree`.
pub(super) fn generate(packages: &[Package], recipe: &Recipe, tree: &mut Tree, faults: &mut Vec<String>) {
    let overrides = overrides(packages, tree);
    let mut file = |path: String, mode: u32, bytes: Vec<u8>| {
        tree.file(&format!("{ADMIN}/{path}"), Meta::root(mode), bytes, faults);
    };
    let status: String = packages.iter().map(status).collect();
    file("status".into(), 0o644, status.into_bytes());
    file("info/format".into(), 0o644, b"1\n".to_vec());
    for package in packages {
        let name = package.database_name();
        file(format!("info/{name}.list"), 0o644, (package.list.join("\n") + "\n").into_bytes());
        for (part, (mode, bytes)) in &package.control.files {
            let bytes = if part == "md5sums" { sums(package).into_bytes() } else { bytes.clone() };
            file(format!("info/{name}.{part}"), *mode, bytes);
        }
    }
    for (trigger, lines) in triggers(packages) {
        file(format!("triggers/{trigger}"), 0o644, lines.into_bytes());
    }
    let diversions: String = recipe
        .diversions
        .iter()
        .map(|diversion| format!("{}\n{}\n{}\n", diversion.path, diversion.to, diversion.package))
        .collect();
    for (path, text) in [("diversions", diversions), ("statoverride", overrides)] {
        if !text.is_empty() {
            file(path.into(), 0o644, text.into_bytes());
        }
    }
    let filters = filters(recipe);
    if !filters.is_empty() {
        tree.file("etc/dpkg/dpkg.cfg.d/left-out", Meta::root(0o644), filters, faults);
    }
}

/// The package's own list of MD5 sums, without what is not there or not the package's own.
fn sums(package: &Package) -> String {
    let lines = package.control.file_text("md5sums").unwrap_or_default().lines();
    let there = |line: &&str| line.split_once("  ").is_none_or(|(_, path)| !package.left_out.contains(path));
    lines.filter(there).map(|line| line.to_owned() + "\n").collect()
}

/// The stanza of an installed package.
fn status(package: &Package) -> String {
    let stanza = package.control.stanza();
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}: {value}");
    };
    for name in FIELDS {
        match (name, stanza.get(name)) {
            ("Status", _) => field(name, "install ok installed"),
            (_, Some(value)) => field(name, value),
            _ => {}
        }
    }
    // dpkg keeps the order of the package.
    let declared = package.control.file_text("conffiles").unwrap_or_default().lines().map(str::trim);
    let written = declared.filter_map(|path| Some((path, package.conffiles.get(path)?.as_ref()?)));
    let conffiles: String = written.map(|(path, md5)| format!("\n {path} {md5}")).collect();
    if !conffiles.is_empty() {
        let _ = writeln!(text, "Conffiles:{conffiles}");
    }
    let known = |name: &str| FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name));
    let (description, others): (Vec<_>, Vec<_>) = stanza
        .fields()
        .filter(|(name, _)| !known(name) && !name.eq_ignore_ascii_case("Conffiles"))
        .partition(|(name, _)| name.eq_ignore_ascii_case("Description"));
    for (name, value) in description.into_iter().chain(others) {
        let _ = writeln!(text, "{name}: {value}");
    }
    text + "\n"
}

/// The files of `triggers/` by name: who is interested in which path or name.
fn triggers(packages: &[Package]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([("File".to_owned(), String::new()), ("Unincorp".to_owned(), String::new())]);
    for package in packages {
        for line in package.control.file_text("triggers").unwrap_or_default().lines() {
            let mut words = line.split_whitespace();
            let (Some(directive), Some(trigger)) = (words.next(), words.next()) else { continue };
            let suffix = match directive {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                _ => continue,
            };
            let interested = format!("{}{suffix}\n", package.database_name());
            match trigger.starts_with('/') {
                true => files.entry("File".into()).or_default().push_str(&format!("{trigger} {interested}")),
                false => files.entry(trigger.to_owned()).or_default().push_str(&interested),
            }
        }
    }
    files
}

/// Overridden modes, so that an upgrade in a derived image does not bring back the bits that were taken.
fn overrides(packages: &[Package], tree: &Tree) -> String {
    let name = |file: &str, id: u64| {
        let id = id.to_string();
        let mut lines = tree.text(file).unwrap_or_default().lines();
        let line = lines.find(|line| line.split(':').nth(2) == Some(&id));
        line.and_then(|line| line.split(':').next()).map_or(format!("#{id}"), str::to_owned)
    };
    let mut lines: Vec<_> = packages
        .iter()
        .flat_map(|package| &package.stripped)
        .map(|(path, meta)| {
            format!("{} {} {:o} {path}\n", name("etc/passwd", meta.uid), name("etc/group", meta.gid), meta.mode)
        })
        .collect();
    lines.sort();
    lines.concat()
}

/// The configuration of dpkg that leaves out of later packages what was left out of these.
fn filters(recipe: &Recipe) -> String {
    let exclude = recipe.exclude.iter().map(|pattern| format!("path-exclude={pattern}\n"));
    let include = recipe.include.iter().map(|pattern| format!("path-include={pattern}\n"));
    exclude.chain(include).collect()
}
