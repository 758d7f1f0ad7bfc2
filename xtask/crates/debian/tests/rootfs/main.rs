//! A root file system from packages that are made here: real `.deb` files, each with what matters.

mod certificates;
mod common;
mod faults;

use std::collections::BTreeMap;

use blob::Digest;
use common::{Entry, Package, entries, packages, read};
use debian::rootfs::{Authority, Inputs, Recipe, RootfsError};

const EPOCH: u64 = 1_750_000_000;

/// The accounts, a shell, a library and a program as Debian's own packages bring them.
fn base() -> Vec<Package> {
    vec![
        Package::new("base-passwd", "3.6")
            .file("./usr/share/base-passwd/passwd.master", 0o644, "root:*:0:0:root:/root:/bin/bash\n")
            .file("./usr/share/base-passwd/group.master", 0o644, "root:*:0:\nshadow:*:42:\n"),
        Package::new("base-files", "12.4")
            .directory("./bin/", 0o755)
            .directory("./root/", 0o700)
            .directory("./tmp/", 0o1777)
            .directory("./var/run/", 0o755)
            .file("./usr/share/base-files/profile", 0o644, "umask $mask\n"),
        Package::new("login", "1:4.13")
            .directory("./bin/", 0o755)
            .file("./bin/su", 0o4755, "su")
            .hard_link("./bin/sg", "./bin/su", 0o4755)
            .link("./usr/bin/newgrp", "sg")
            .file("./etc/login.defs", 0o644, "UMASK 022\n")
            .control("conffiles", 0o644, "/etc/login.defs\n")
            .control("md5sums", 0o644, "aa  bin/su\nbb  usr/share/man/man1/su.1.gz\n")
            .control("postinst", 0o755, "#!/bin/sh\n")
            .control("triggers", 0o644, "interest-noawait /usr/share/x\ninterest t\nactivate y\n")
            .directory("./usr/share/man/man1/", 0o755)
            .file("./usr/share/man/man1/su.1.gz", 0o644, "page"),
        Package::new("libz1", "1.2").field("Multi-Arch", "same").file("./lib64/libz.so", 0o644, "no library"),
    ]
}

fn recipe(text: &str) -> Recipe {
    toml::from_str(text).unwrap()
}

fn make(packages: &[Package], recipe: &Recipe) -> Result<BTreeMap<String, Entry>, RootfsError> {
    make_with(packages, recipe, &[])
}

fn make_with(
    made: &[Package],
    recipe: &Recipe,
    authorities: &[Authority],
) -> Result<BTreeMap<String, Entry>, RootfsError> {
    let (_folder, debs) = packages(made);
    let mut tar = Vec::new();
    debian::rootfs::write(&Inputs { debs: &debs, recipe, authorities, epoch: EPOCH }, &mut tar)?;
    Ok(read(&tar))
}

#[test]
fn paths_are_merged_into_usr_and_keep_modes_owners_and_links() {
    let root = make(&base(), &Recipe { keep_setuid: true, ..Recipe::default() }).unwrap();
    assert_eq!(root["bin"].target, "usr/bin");
    assert_eq!(root["lib64"].target, "usr/lib64");
    assert!(!root.contains_key("lib32"), "nobody has anything there");
    assert_eq!((root["usr/bin/su"].mode, root["usr/bin/su"].text()), (0o4755, "su"));
    assert_eq!(root["usr/bin/sg"].target, "usr/bin/su");
    assert_eq!(root["usr/bin/newgrp"].target, "sg");
    assert_eq!((root["root"].mode, root["tmp"].mode), (0o700, 0o1777));
    assert_eq!(root["usr/lib64/libz.so"].text(), "no library");
    assert!(root.values().all(|entry| entry.mtime == EPOCH && entry.names_no_owner));
}

#[test]
fn every_parent_comes_before_its_children_and_nothing_twice() {
    let (_folder, debs) = packages(&base());
    let mut tar = Vec::new();
    let recipe = Recipe::default();
    let inputs = Inputs { debs: &debs, recipe: &recipe, authorities: &[], epoch: EPOCH };
    let summary = debian::rootfs::write(&inputs, &mut tar).unwrap();
    let names: Vec<_> = entries(&tar).into_iter().map(|(name, _)| name).collect();
    assert_eq!(summary.entries, names.len());
    assert_eq!(summary.packages[0], ("base-files".to_owned(), "12.4".to_owned()));
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "{name} comes twice");
        let parent = name.rsplit_once('/').map(|(parent, _)| parent.to_owned());
        assert!(parent.is_none_or(|parent| names[..at].contains(&parent)), "{name} comes before its parent");
    }
}

#[test]
fn the_order_of_the_packages_does_not_matter() {
    let digest = |reversed: bool| {
        let (_folder, mut debs) = packages(&base());
        if reversed {
            debs.reverse();
        }
        let mut tar = Vec::new();
        let recipe = Recipe::default();
        let inputs = Inputs { debs: &debs, recipe: &recipe, authorities: &[], epoch: EPOCH };
        debian::rootfs::write(&inputs, &mut tar).unwrap();
        Digest::of(&tar)
    };
    assert_eq!(digest(false), digest(true));
}

#[test]
fn a_package_larger_than_what_may_wait_comes_whole() {
    let large = "0123456789abcdef".repeat(3 << 19);
    let made = [
        Package::new("a", "1").file("./a", 0o644, "a"),
        Package::new("b", "1").file("./b", 0o644, &large),
        Package::new("c", "1").file("./c", 0o644, &large),
        Package::new("d", "1").file("./d", 0o644, "d"),
    ];
    let root = make(&made, &Recipe::default()).unwrap();
    assert_eq!(root["b"].text().len(), large.len());
    assert_eq!(Digest::of(root["c"].text().as_bytes()), Digest::of(large.as_bytes()));
    assert_eq!(root["d"].text(), "d");
}

#[test]
fn the_recipe_takes_the_place_of_what_packages_bring() {
    let root = make(
        &base(),
        &recipe(
            r#"
            exclude = ["/usr/share/man/*"]
            [[directory]]
            path = "/tmp"
            mode = "0700"
            uid = 185
            [[directory]]
            path = "/run"
            [[link]]
            path = "/var/run"
            target = "/run"
            [[file]]
            path = "/etc/login.defs"
            mode = "0600"
            gid = 42
            content = "UMASK 077\n"
            [[file]]
            path = "/etc/profile"
            copy-of = "/usr/share/base-files/profile"
            replace = { "$mask" = "022" }
            "#,
        ),
    )
    .unwrap();
    assert_eq!((root["tmp"].mode, root["tmp"].owner), (0o700, (185, 0)));
    assert_eq!(root["var/run"].target, "/run");
    assert_eq!((root["etc/login.defs"].mode, root["etc/login.defs"].owner), (0o600, (0, 42)));
    assert_eq!(root["etc/login.defs"].text(), "UMASK 077\n");
    assert_eq!(root["etc/profile"].text(), "umask 022\n");
    assert!(!root.contains_key("usr/share/man/man1"));
    assert_eq!(root["etc/dpkg/dpkg.cfg.d/left-out"].text(), "path-exclude=/usr/share/man/*\n");
}

#[test]
fn accounts_come_from_the_masters_and_the_recipe() {
    let root = make(
        &base(),
        &recipe(
            r#"
            [[group]]
            name = "spark"
            gid = 185
            members = ["root"]
            [[user]]
            name = "spark"
            uid = 185
            gid = 185
            home = "/opt/spark"
            shell = "/bin/bash"
            "#,
        ),
    )
    .unwrap();
    assert_eq!(root["etc/passwd"].text(), "root:x:0:0:root:/root:/bin/bash\nspark:x:185:185::/opt/spark:/bin/bash\n");
    assert_eq!(root["etc/group"].text(), "root:x:0:\nshadow:x:42:\nspark:x:185:root\n");
    assert_eq!(root["etc/shadow"].text(), "root:*:20254:0:99999:7:::\nspark:*:20254:0:99999:7:::\n");
    assert_eq!(root["etc/gshadow"].text(), "root:*::\nshadow:*::\nspark:*::root\n");
    assert_eq!((root["etc/shadow"].mode, root["etc/shadow"].owner), (0o640, (0, 42)));
}

#[test]
fn dpkg_s_database_knows_the_packages() {
    let root = make(&base(), &recipe(r#"exclude = ["/usr/share/man/*"]"#)).unwrap();
    let admin = |name: &str| root[&format!("var/lib/dpkg/{name}")].text();
    let login = "Package: login\nStatus: install ok installed\nMaintainer: Nobody <nobody@registry.example>\n\
                 Architecture: amd64\nVersion: 1:4.13\n\
                 Conffiles:\n /etc/login.defs 7fac33e20978c53f46bfdfe37cf0a8d1\nDescription: made for a test\n\n";
    assert!(admin("status").ends_with(login), "{}", admin("status"));
    assert_eq!(admin("status").matches("\n\n").count(), 4);
    assert_eq!(
        admin("info/login.list"),
        "/.\n/bin\n/bin/su\n/bin/sg\n/usr/bin/newgrp\n/etc/login.defs\n",
        "what was left out is not missed"
    );
    assert_eq!(admin("info/login.md5sums"), "aa  bin/su\n", "what was left out is not missed");
    assert_eq!(root["var/lib/dpkg/info/login.postinst"].mode, 0o755);
    assert_eq!(admin("info/login.conffiles"), "/etc/login.defs\n");
    assert!(root.contains_key("var/lib/dpkg/info/libz1:amd64.list"));
    assert_eq!(admin("triggers/File"), "/usr/share/x login/noawait\n");
    assert_eq!(admin("triggers/t"), "login\n");
    assert_eq!(admin("statoverride"), "root root 755 /bin/sg\nroot root 755 /bin/su\n");
    assert_eq!(root["usr/bin/su"].mode, 0o755);
}

#[test]
fn alternatives_and_diversions_are_registered() {
    let root = make(
        &base(),
        &recipe(
            r#"
            [[alternative]]
            name = "subst"
            link = "/usr/bin/subst"
            path = "/bin/su"
            priority = 5
            slave = [{ name = "subst.1", link = "/usr/share/man/subst.1", path = "/usr/share/man/none.1" }]
            [[diversion]]
            path = "/bin/sh"
            to = "/bin/sh.distrib"
            package = "dash"
            "#,
        ),
    )
    .unwrap();
    assert_eq!(root["usr/bin/subst"].target, "/etc/alternatives/subst");
    assert_eq!(root["etc/alternatives/subst"].target, "/bin/su");
    assert!(!root.contains_key("etc/alternatives/subst.1"), "what it stands for is not there");
    assert_eq!(root["var/lib/dpkg/diversions"].text(), "/bin/sh\n/bin/sh.distrib\ndash\n");
}

#[test]
fn architecture_and_triplet_are_filled_into_paths() {
    let made = [
        Package::for_architecture("a", "1", "arm64").file("./usr/lib/aarch64-linux-gnu/x", 0o644, "x"),
        Package::for_architecture("b", "1", "all"),
    ];
    let text = "[[link]]\npath = \"/usr/lib/{arch}\"\ntarget = \"{triplet}/x\"\n";
    let root = make(&made, &recipe(text)).unwrap();
    assert_eq!(root["usr/lib/arm64"].target, "aarch64-linux-gnu/x");
}
