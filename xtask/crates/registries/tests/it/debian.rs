//! Debian: apt's sources on machines of this and of other releases and distributions.

use crate::world::{World, archives, credentials, proxy, warned};

const DEBIAN_12: &str = "Types: deb\n# a comment\nURIs: http://archive.example/debian\nSuites: bookworm bookworm-updates\n\
                         Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n\
                         Types: deb\nURIs: http://archive.example/debian-security\nSuites: bookworm-security\n\
                         Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n";
const SOURCES: &str = "/etc/apt/sources.list.d/debian.sources";
const NONE: Vec<String> = Vec::new();

#[test]
fn the_sources_of_the_wanted_release_are_taken_as_they_are() {
    let found = World::new().file(SOURCES, DEBIAN_12).discover();
    assert_eq!(
        archives(&found.debian),
        [
            "http://archive.example/debian bookworm bookworm-updates",
            "http://archive.example/debian-security bookworm-security"
        ]
    );
    assert_eq!(found.debian[0].endpoint.found_in, "/etc/apt/sources.list.d/debian.sources line 1");
    assert_eq!(found.debian[0].components, ["main"]);
    assert_eq!(found.debian[0].signed_by.as_deref(), Some("/usr/share/keyrings/debian-archive-keyring.gpg"));
    assert!(!found.debian[0].trusted && found.debian[0].architectures.is_empty());
    // Plain HTTP is how Debian works: the files are chained to a signature.
    assert_eq!(found.warnings, NONE);
}

#[test]
fn lines_of_one_address_are_one_archive() {
    let text = "deb [arch=amd64] https://archive.example/debian/ bookworm main\r\n\
                deb https://archive.example/debian bookworm-updates main contrib\r\n\
                deb [trusted=yes] https://security.example/debian-security bookworm-security main # security\r\n";
    let found = World::new().file("/etc/apt/sources.list", text).discover();
    assert_eq!(
        archives(&found.debian),
        [
            "https://archive.example/debian bookworm bookworm-updates",
            "https://security.example/debian-security bookworm-security"
        ]
    );
    assert_eq!(found.debian[0].endpoint.found_in, "/etc/apt/sources.list line 1, /etc/apt/sources.list line 2");
    assert_eq!(
        (found.debian[0].components.len(), found.debian[0].architectures.as_slice()),
        (2, &["amd64".to_owned()][..])
    );
    assert!(found.debian[1].trusted);
}

#[test]
fn an_archive_of_debian_serves_other_releases_too() {
    let found = World::new().file(SOURCES, &DEBIAN_12.replace("bookworm", "trixie")).discover();
    assert_eq!(
        archives(&found.debian),
        [
            "http://archive.example/debian bookworm bookworm-updates",
            "http://archive.example/debian-security bookworm-security"
        ]
    );
    let found_in = &found.debian[0].endpoint.found_in;
    assert!(found_in.contains("which names trixie trixie-updates"), "{found_in}");

    // A mirror whose address does not say what it mirrors: the machine's own release does.
    let world = World::new()
        .file("/etc/apt/sources.list", "deb https://nexus.example/apt-proxy trixie main")
        .file("/etc/os-release", "NAME=x\nID=debian\nVERSION_CODENAME=trixie\n");
    assert_eq!(archives(&world.discover().debian), ["https://nexus.example/apt-proxy bookworm bookworm-updates"]);
    let found = world.file("/etc/os-release", "ID=ubuntu\nVERSION_CODENAME=trixie\n").discover();
    assert_eq!(archives(&found.debian), NONE);
}

#[test]
fn an_archive_of_ubuntu_serves_nothing() {
    let text = "Types: deb\nURIs: http://archive.example/ubuntu/\nSuites: noble noble-updates noble-security\n\
                Components: main universe\nSigned-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n";
    let found = World::new()
        .file("/etc/apt/sources.list.d/ubuntu.sources", text)
        .file("/etc/os-release", "ID=ubuntu\nVERSION_CODENAME=noble\n")
        .discover();
    assert_eq!(archives(&found.debian), NONE);
    assert!(
        warned(&found, &["apt's sources", "bookworm, bookworm-updates, bookworm-security"]),
        "{:?}",
        found.warnings
    );
}

#[test]
fn third_parties_packages_for_debian_are_not_debian() {
    let others = "deb [signed-by=/usr/share/keyrings/hashi.gpg] https://apt.example bookworm main\n\
                  deb https://docker.example/linux/debian bookworm stable\n\
                  deb https://flat.example/ ./\n";
    let world = World::new().file("/etc/apt/sources.list.d/a-others.list", others);
    let found = world.discover();
    // With nothing better there it is asked for the suite that it names, and its signature will tell.
    assert_eq!(archives(&found.debian), ["https://apt.example bookworm"]);
    assert!(warned(&found, &["https://apt.example", "another keyring"]), "{:?}", found.warnings);
    let found = world.file(SOURCES, DEBIAN_12).discover();
    assert_eq!(
        archives(&found.debian),
        [
            "http://archive.example/debian bookworm bookworm-updates",
            "http://archive.example/debian-security bookworm-security"
        ]
    );
}

#[test]
fn the_security_archive_is_looked_for_beside_the_main_one() {
    let found =
        World::new().file("/etc/apt/sources.list", "deb http://archive.example/debian bookworm main").discover();
    assert_eq!(
        archives(&found.debian),
        [
            "http://archive.example/debian bookworm bookworm-updates",
            "http://archive.example/debian-security bookworm-security"
        ]
    );
    assert!(found.debian[1].endpoint.found_in.ends_with("the security archive beside it"));
}

#[test]
fn mirror_lists_in_files_are_read_and_other_methods_left_out() {
    let found = World::new()
        .file(
            SOURCES,
            &DEBIAN_12.replace(
                "http://archive.example/debian\n",
                "mirror+file:///etc/apt/mirrors/debian.list cdrom://disc\n",
            ),
        )
        .file(
            "/etc/apt/mirrors/debian.list",
            "# ours\nhttps://one.example/debian\tpriority:1\r\n\nhttps://two.example/debian\n",
        )
        .discover();
    assert_eq!(
        archives(&found.debian),
        [
            "https://one.example/debian bookworm bookworm-updates",
            "https://two.example/debian bookworm bookworm-updates",
            "http://archive.example/debian-security bookworm-security"
        ]
    );
    assert!(warned(&found, &["debian.sources line 1", "`cdrom:`"]), "{:?}", found.warnings);

    let missing = World::new().file("/etc/apt/sources.list", "deb mirror+file:/no/list bookworm main").discover();
    assert_eq!(archives(&missing.debian), NONE);
    assert!(missing.looked_at.iter().any(|looked| looked.place == "/no/list" && looked.found == "no such file"));
}

#[test]
fn credentials_and_proxies_of_apt_come_along() {
    let found = World::new()
        .file(
            "/etc/apt/sources.list",
            "deb https://in.example/debian bookworm main\ndeb https://x:y@out.example/debian bookworm main",
        )
        .file("/etc/apt/auth.conf.d/corp.conf", "machine in.example/debian\nlogin ann\npassword #1\n")
        .file("/etc/apt/auth.conf.d/ignored.bak", "nonsense")
        .file("/etc/apt/apt.conf.d/01proxy", "Acquire::http::Proxy \"http://proxy.example:3128\";\n")
        .file("/etc/apt/apt.conf.d/02exception.conf", "Acquire::https::Proxy::in.example \"DIRECT\";\n")
        .discover();
    let ways: Vec<_> = found.debian.iter().take(2).map(|archive| proxy(&archive.endpoint)).collect();
    assert_eq!(ways, ["direct", "http://proxy.example:3128"]);
    let users: Vec<_> = found.debian.iter().take(2).map(|archive| credentials(&archive.endpoint).unwrap()).collect();
    assert_eq!(users, ["ann #1", "x y"]);
    assert_eq!(found.warnings, NONE);
}

#[test]
fn malformed_files_are_named_and_the_rest_counts() {
    let found = World::new()
        .file("/etc/apt/sources.list", "deb\nrpm http://a.example x y\n")
        .folder("/etc/apt/sources.list.d/folder.list")
        .file("/etc/apt/sources.list.d/a.sources", "\u{feff}Types: deb\r\nno colon\r\n")
        .file(SOURCES, DEBIAN_12)
        .file("/etc/apt/apt.conf.d/10bad", "Acquire { http")
        .file("/etc/apt/auth.conf", "hidden")
        .discover();
    assert_eq!(found.debian.len(), 2);
    for words in [
        ["reading /etc/apt/sources.list", "line 1"],
        ["reading /etc/apt/sources.list", "line 2"],
        ["reading /etc/apt/sources.list.d/folder.list", ""],
        ["reading /etc/apt/sources.list.d/a.sources", "line 2"],
        ["reading /etc/apt/apt.conf.d/10bad", "line 1"],
        ["reading /etc/apt/auth.conf", "line 1"],
    ] {
        assert!(warned(&found, &words), "{words:?}: {:?}", found.warnings);
    }
    assert!(!format!("{found:?}").contains("hidden"));
}
