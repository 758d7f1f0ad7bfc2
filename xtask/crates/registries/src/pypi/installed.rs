//! The pips that are installed, and the default index that they carry.
//!
//! It stands in the text of `pip/_internal/models/index.py`, as `PyPI = PackageIndex("https://…", …)`; the simple index
//! is `simple` below that address. Reading the text takes no process.

use camino::{Utf8Path, Utf8PathBuf};

use super::Index;
use crate::{kind::Kind, search::Search};

/// The module, below a folder of packages and inside a wheel.
const MODULE: &str = "pip/_internal/models/index.py";

/// Where Pythons are installed, beside those in `PATH`.
const PREFIXES: [&str; 8] = [
    "/usr/local",
    "/usr",
    "/opt/homebrew",
    "/opt/conda",
    "/opt/miniconda3",
    "/opt/python/*",
    "/opt/hostedtoolcache/Python/*/*",
    "/Library/Developer/CommandLineTools/Library/Frameworks/Python3.framework/Versions/3.*",
];

/// The same, below the home folder: the user's own packages, version managers, conda, pipx.
const PREFIXES_OF_USER: [&str; 10] = [
    ".local",
    ".pyenv/versions/*",
    ".local/share/uv/python/*",
    ".local/share/mise/installs/python/*",
    ".asdf/installs/python/*",
    "miniconda3",
    "miniforge3",
    "anaconda3",
    ".local/share/pipx/shared",
    ".local/pipx/shared",
];

/// Where pip lies below a prefix: as a package, or as the wheel that `ensurepip` brings.
const PLACES: [&str; 5] = [
    "lib/python3*/dist-packages/pip/_internal/models/index.py",
    "lib/python3*/site-packages/pip/_internal/models/index.py",
    "lib64/python3*/site-packages/pip/_internal/models/index.py",
    "lib/python3*/ensurepip/_bundled/pip-*.whl",
    "share/python-wheels/pip-*.whl",
];

/// The default index of the first pip that can be read.
pub(super) fn default_index(search: &mut Search) -> Option<Index> {
    let machine = search.machine;
    for prefix in prefixes(search) {
        for path in PLACES.iter().flat_map(|place| machine.glob(&prefix.join(place))) {
            let place = machine.show(&path);
            let text = match path.extension() {
                Some("whl") => machine.read_member(&path, MODULE),
                _ => machine.read(&path).map(Some),
            };
            match text.map(|text| text.as_deref().and_then(simple_url)) {
                Ok(Some(url)) => {
                    let found_in = format!("the default of an installed pip, {place}");
                    search.note(Kind::Pypi, &found_in, &url);
                    return Some(Index { id: "pip-default".to_owned(), url, auth: None, found_in });
                }
                Ok(None) => search.note(Kind::Pypi, place, "no default index in it"),
                Err(error) => search.warn(format!("reading pip's default in {place}"), error),
            }
        }
    }
    search.note(Kind::Pypi, "an installed pip (`python3` in PATH, the usual places)", "none");
    None
}

/// The prefixes of all Pythons that can be found, those that the user runs first.
fn prefixes(search: &Search) -> Vec<Utf8PathBuf> {
    let machine = search.machine;
    let mut patterns: Vec<_> =
        ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(|name| machine.var_path(name)).collect();
    for program in ["pip", "pip3", "python3", "python"] {
        let path = machine.program(program);
        patterns.extend(path.as_deref().and_then(Utf8Path::parent).and_then(Utf8Path::parent).map(Utf8Path::to_owned));
    }
    patterns.extend(machine.var_path("PYENV_ROOT").map(|root| root.join("versions/*")));
    patterns.extend(PREFIXES.into_iter().map(Utf8PathBuf::from));
    patterns.extend(PREFIXES_OF_USER.into_iter().filter_map(|prefix| machine.home(prefix)));
    let mut seen = std::collections::BTreeSet::new();
    patterns.retain(|pattern| seen.insert(pattern.clone()));
    patterns
}

/// The simple index that the text of pip's module names.
fn simple_url(text: &str) -> Option<String> {
    let (_, call) = text.split_once("\nPyPI = PackageIndex(")?;
    let quote = call.find(['"', '\''])?;
    let (url, _) = call[quote + 1..].split_once(&call[quote..=quote])?;
    Some(format!("{}/simple", url.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_of_the_call_are_read() {
        for text in [
            "x\nPyPI = PackageIndex(\"https://index.example/\", file_storage_domain=\"files.example\")\nTest",
            "x\nPyPI = PackageIndex(\n    'https://index.example/', file_storage_domain='files.example'\n)\n",
        ] {
            assert_eq!(simple_url(text).unwrap(), "https://index.example/simple");
        }
        for text in [
            "",
            "\nTestPyPI = PackageIndex(\"https://test.example/\")",
            "\nPyPI = PackageIndex(",
            "\nPyPI = PackageIndex(\"",
        ] {
            assert_eq!(simple_url(text), None, "{text}");
        }
    }
}
