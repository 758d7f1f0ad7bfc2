//! The Mavens that are installed, and the default that they carry.
//!
//! Maven 3 has its only built-in repository in its super-POM, `org/apache/maven/model/pom-4.0.0.xml`, a member of
//! `maven-model-builder-*.jar`. Maven 4 has it as the property `maven.repo.central` in `conf/maven.properties`.

use camino::{Utf8Path, Utf8PathBuf};
use roxmltree::Document;

use super::settings::{Repository, interpolate};
use crate::{kind::Kind, search::Search};

const SUPER_POM: &str = "org/apache/maven/model/pom-4.0.0.xml";

/// Where Mavens are installed without standing in `PATH`.
const HOMES: [&str; 9] = [
    "/usr/share/maven",
    "/usr/share/maven3",
    "/usr/share/java/maven",
    "/opt/maven",
    "/opt/apache-maven*",
    "/usr/local/maven",
    "/usr/local/apache-maven*",
    "/opt/homebrew/opt/maven/libexec",
    "/usr/local/opt/maven/libexec",
];

/// The same, below the home folder: version managers, and the distributions that Maven's wrapper has downloaded.
const HOMES_OF_USER: [&str; 6] = [
    ".sdkman/candidates/maven/current",
    ".asdf/installs/maven/*",
    ".local/share/mise/installs/maven/*",
    ".m2/wrapper/dists/apache-maven-*/*",
    ".m2/wrapper/dists/apache-maven-*/*/apache-maven-*",
    ".m2/wrapper/dists/maven-mvnd-*/*/mvn",
];

/// The homes of all Mavens that can be found, the one that the user runs first.
pub(super) fn homes(search: &Search) -> Vec<Utf8PathBuf> {
    let machine = search.machine;
    let mut homes: Vec<_> = ["MAVEN_HOME", "M2_HOME"].into_iter().filter_map(|name| machine.var_path(name)).collect();
    if let Some(prefix) = machine.program("mvn").as_deref().and_then(Utf8Path::parent).and_then(Utf8Path::parent) {
        // Package managers put a starter into `bin` and Maven itself beside it: Homebrew into `libexec`, Nix into
        // `maven` or `share/maven`.
        homes.push(prefix.to_owned());
        homes.extend(["libexec", "maven", "share/maven"].map(|folder| prefix.join(folder)));
    }
    let fixed = HOMES.into_iter().map(Utf8PathBuf::from);
    let of_user = HOMES_OF_USER.into_iter().filter_map(|path| machine.home(path));
    for pattern in fixed.chain(of_user) {
        homes.extend(machine.glob(&pattern));
    }
    homes.retain(|home| machine.exists(&home.join("lib")) || machine.exists(&home.join("conf")));
    let mut seen = std::collections::BTreeSet::new();
    homes.retain(|home| seen.insert(home.clone()));
    homes
}

/// The repository `central` as the first Maven that can be read has it.
pub(super) fn central(search: &mut Search, homes: &[Utf8PathBuf]) -> Option<Repository> {
    let machine = search.machine;
    let of_user = machine.home(".m2/maven.properties").filter(|path| machine.exists(path));
    if let Some(found) = of_user.and_then(|path| central_of_properties(search, &path)) {
        return Some(found);
    }
    for home in homes {
        let found = central_of_jars(search, &home.join("lib/maven-model-builder*.jar"));
        if let Some(found) = found.or_else(|| central_of_properties(search, &home.join("conf/maven.properties"))) {
            return Some(found);
        }
    }
    // A Maven that another tool embeds, or a plug-in, left the same jar in the local repository.
    let repository = machine.home(".m2/repository/org/apache/maven/maven-model-builder/*/maven-model-builder-*.jar");
    if let Some(found) = repository.and_then(|pattern| central_of_jars(search, &pattern)) {
        return Some(found);
    }
    let places = "an installed Maven (MAVEN_HOME, `mvn` in PATH, the usual places)";
    search.note(Kind::Maven, places, "none that says where `central` is");
    None
}

fn found(search: &mut Search, url: String, found_in: String) -> Repository {
    search.note(Kind::Maven, &found_in, &url);
    Repository { id: "central".to_owned(), url: Some(url), releases: true, found_in }
}

/// The address in the super-POM of the first of these jars that has one.
fn central_of_jars(search: &mut Search, pattern: &Utf8Path) -> Option<Repository> {
    let machine = search.machine;
    for jar in machine.glob(pattern) {
        let place = machine.show(&jar);
        match machine.read_member(&jar, SUPER_POM).map(|text| text.as_deref().map(central_of)) {
            Ok(Some(Ok(Some(url)))) => return Some(found(search, url, format!("the super-POM of Maven, {place}"))),
            Ok(Some(Ok(None)) | None) => search.note(Kind::Maven, place, "no `central` in it"),
            Ok(Some(Err(problem))) => search.warn(format!("reading {SUPER_POM} in {place}"), problem),
            Err(error) => search.warn(format!("reading {SUPER_POM} in {place}"), error),
        }
    }
    None
}

/// The address of `central` in the text of a super-POM.
fn central_of(text: &str) -> Result<Option<String>, roxmltree::Error> {
    let document = Document::parse(text)?;
    let child = |node: roxmltree::Node, name: &str| {
        let child = node.children().find(|child| child.tag_name().name() == name)?;
        Some(child.text()?.trim().to_owned())
    };
    let lists = document.root_element().children().filter(|node| node.tag_name().name() == "repositories");
    let mut repositories = lists.flat_map(|node| node.children());
    let central = repositories.find(|node| child(*node, "id").as_deref() == Some("central"));
    Ok(central.and_then(|node| child(node, "url")))
}

/// The address in a file of Maven 4's properties: `maven.repo.central = ${env.MAVEN_REPO_CENTRAL:-https://…}`.
fn central_of_properties(search: &mut Search, path: &Utf8Path) -> Option<Repository> {
    let machine = search.machine;
    let text = search.open(path).ok()?;
    let value = text.lines().find_map(|line| {
        let value = line.trim_start().strip_prefix("maven.repo.central")?.trim_start();
        Some(value.strip_prefix(['=', ':'])?.trim())
    })?;
    Some(found(search, interpolate(value, machine), machine.show(path)))
}
