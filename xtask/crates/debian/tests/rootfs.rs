//! A root file system from packages that are made here: real `.deb` files, each with what matters.

mod common;

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

fn faults(packages: &[Package], text: &str) -> String {
    make(packages, &recipe(text)).unwrap_err().to_string()
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

fn certificate(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The alias and the certificate of each entry of a JKS keystore, and whether its seal is right.
fn keystore(bytes: &[u8]) -> (Vec<(String, Vec<u8>)>, bool) {
    use sha1::{Digest as _, Sha1};
    let (mut rest, seal) = bytes.split_at(bytes.len() - 20);
    let sealed = rest;
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at(count);
        rest = after;
        taken
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0usize, |number, byte| number << 8 | usize::from(*byte));
    assert_eq!(take(8), [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]);
    let mut found = Vec::new();
    for _ in 0..number(take(4)) {
        assert_eq!(number(take(4)), 2, "a trusted certificate");
        let length = number(take(2));
        let alias = String::from_utf8(take(length).to_vec()).unwrap();
        assert_eq!(number(take(8)) as u64, EPOCH * 1000);
        let length = number(take(2));
        assert_eq!(take(length), b"X.509");
        let length = number(take(4));
        found.push((alias, take(length).to_vec()));
    }
    assert!(rest.is_empty());
    let password: Vec<u8> = "changeit".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let expected = Sha1::digest([&password, b"Mighty Aphrodite".as_slice(), sealed].concat());
    (found, expected.as_slice() == seal)
}

#[test]
fn authorities_stand_in_both_trust_stores() {
    let shipped = String::from_utf8(certificate("sorted")).unwrap();
    let made = [
        Package::new("ca-certificates", "1").file("./usr/share/ca-certificates/m/A (b).crt", 0o644, &shipped),
        Package::new("ca-certificates-java", "1"),
    ];
    let own = Authority { name: "corporate".into(), pem: certificate("both") };
    let root = make_with(&made, &Recipe::default(), &[own]).unwrap();
    // The hashes are those that openssl gives, see fixtures/certificates/make.sh.
    for (hash, link, file) in [
        ("f6d279e4", "corporate.pem", "/usr/local/share/ca-certificates/corporate.crt"),
        ("b5fe099d", "corporate-2.pem", "/usr/local/share/ca-certificates/corporate-2.crt"),
        ("950093da", "A_=b=.pem", "/usr/share/ca-certificates/m/A (b).crt"),
    ] {
        assert_eq!(root[&format!("etc/ssl/certs/{hash}.0")].target, link);
        assert_eq!(root[&format!("etc/ssl/certs/{link}")].target, file);
    }
    assert_eq!(root["usr/local/share/ca-certificates/corporate.crt"].bytes, certificate("plain"));
    assert_eq!(root["usr/local/share/ca-certificates/corporate-2.crt"].bytes, certificate("spaced"));
    let bundle = [certificate("sorted"), certificate("spaced"), certificate("plain")].concat();
    assert_eq!(root["etc/ssl/certs/ca-certificates.crt"].bytes, bundle);
    assert!(root["etc/ca-certificates.conf"].text().ends_with("#\nm/A (b).crt\n"));
    let (entries, sealed) = keystore(&root["etc/ssl/certs/java/cacerts"].bytes);
    let aliases: Vec<_> = entries.iter().map(|(alias, _)| alias.as_str()).collect();
    assert_eq!(aliases, ["debian:a_=b=.pem", "debian:corporate-2.pem", "debian:corporate.pem"]);
    assert!(sealed && entries.iter().all(|(_, der)| der.starts_with(&[0x30, 0x82])));
}

#[test]
fn one_certificate_under_two_names_gets_two_hash_links() {
    let own = ["a", "b"].map(|name| Authority { name: name.into(), pem: certificate("plain") });
    let root = make_with(&[Package::new("x", "1")], &Recipe::default(), &own).unwrap();
    assert_eq!(root["etc/ssl/certs/f6d279e4.0"].target, "a.pem");
    assert_eq!(root["etc/ssl/certs/f6d279e4.1"].target, "b.pem");
    assert!(!root.contains_key("etc/ssl/certs/java/cacerts"), "no package looks there");
}

#[test]
fn what_is_no_certificate_is_refused() {
    let whole = String::from_utf8(certificate("plain")).unwrap();
    for (name, pem) in [
        ("empty", String::new()),
        ("cut", whole[..whole.len() / 2].to_owned()),
        ("no-base64", whole.replace('M', "*")),
        ("no-certificate", "-----BEGIN CERTIFICATE-----\naGFsbG8=\n-----END CERTIFICATE-----\n".to_owned()),
        ("../up", whole.clone()),
        ("a b", whole.clone()),
    ] {
        let own = Authority { name: name.into(), pem: pem.into_bytes() };
        let error = make_with(&[Package::new("x", "1")], &Recipe::default(), &[own]).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    let own = ["a", "a"].map(|name| Authority { name: name.into(), pem: certificate("plain") });
    assert!(make_with(&[Package::new("x", "1")], &Recipe::default(), &own).is_err(), "two of one name");
}

#[test]
fn a_recipe_that_does_not_fit_is_refused_with_all_that_is_wrong() {
    let found = faults(
        &base(),
        r#"
        [[link]]
        path = "/etc/nowhere"
        target = "/usr/share/nowhere"
        [[file]]
        path = "/etc/a"
        copy-of = "/usr/share/none"
        [[file]]
        path = "/etc/b"
        copy-of = "/usr/share/base-files/profile"
        replace = { "$none" = "" }
        [[file]]
        path = "/etc/c"
        [[file]]
        path = "../d"
        content = ""
        [[file]]
        path = "/etc/e"
        content = ""
        [[link]]
        path = "/etc/e"
        target = "/proc/e"
        [[user]]
        name = "root"
        uid = 1
        gid = 7
        home = "/a:b"
        shell = "/bin/sh"
        [[alternative]]
        name = "x"
        link = "/usr/bin/x"
        path = "/usr/bin/none"
        priority = 1
        "#,
    );
    for expected in [
        "the link `/etc/nowhere` leads to `/usr/share/nowhere`, which is not there",
        "`/etc/a` is to copy `/usr/share/none`, which no package holds",
        "`/etc/b` is to replace `$none`, which does not occur",
        "`/etc/c` needs exactly one of content and copy-of",
        "`../d` is no path within the root",
        "`/etc/e` is made twice",
        "two users have the name `root`",
        "the group 7 of the user `root` is not there: add it",
        "the user `root` has a colon or a line break in a field",
        "the alternative `x` stands for `/usr/bin/none`, which no package holds",
    ] {
        assert!(found.contains(expected), "expected {expected} in {found}");
    }
}

#[test]
fn patterns_and_directories_of_a_recipe_are_checked() {
    let found = faults(&base(), r#"exclude = ["usr/share", "/a[", "/fine/*"]"#);
    assert!(found.contains("`/a[`") && found.contains("`usr/share`") && !found.contains("fine"), "{found}");
    let twice =
        "[[directory]]\npath = \"/bin/x\"\n[[directory]]\npath = \"/usr/bin/x/\"\n[[directory]]\npath = \"/\"\n";
    let found = faults(&base(), twice);
    assert!(found.contains("`/usr/bin/x/` is made twice") && found.contains("`/` is no path"), "{found}");
    for wrong in ["mode = \"9\"", "mode = \"17777\"", "colour = 1"] {
        let text = format!("[[directory]]\npath = \"/x\"\n{wrong}\n");
        assert!(toml::from_str::<Recipe>(&text).is_err(), "{wrong}");
    }
}

#[test]
fn what_a_recipe_generates_may_not_meet_what_a_package_brings() {
    let text = "[[alternative]]\nname = \"su\"\nlink = \"/bin/su\"\npath = \"/bin/su\"\npriority = 1\n";
    let found = faults(&base(), text);
    assert!(found.contains("`/usr/bin/su` comes from login and from"), "{found}");
}

fn refusal(made: &[Package]) -> String {
    make(made, &Recipe::default()).unwrap_err().to_string()
}

#[test]
fn packages_that_do_not_go_together_are_refused() {
    let a = || Package::new("a", "1").file("./bin/x", 0o755, "a");
    let b = || Package::new("b", "1").file("./usr/bin/x", 0o755, "b");
    assert!(refusal(&[a(), b()]).contains("`/usr/bin/x` comes from a and from b"));
    assert!(refusal(&[a(), Package::new("a", "2")]).contains("expected one package `a`, found two"));
    let other = Package::for_architecture("c", "1", "arm64");
    assert!(refusal(&[a(), other]).contains("found amd64, arm64"));
    let beneath = Package::new("b", "1").file("./bin/x/y", 0o644, "");
    assert!(refusal(&[a(), beneath]).contains("`/usr/bin/x` comes from a and from b"));
    let directory = Package::new("b", "1").directory("./bin/x/", 0o755);
    assert!(refusal(&[a(), directory]).contains("`/usr/bin/x` comes from a and from b"));
}

#[test]
fn packages_that_hold_what_they_should_not_are_refused() {
    for (package, expected) in [
        (Package::new("a", "1").file("./../x", 0o644, ""), "holds the path `./../x`"),
        (Package::new("a", "1").file("./a/../../x", 0o644, ""), "holds the path `./a/../../x`"),
        (Package::new("a", "1").pipe("./x"), "holds `./x` of the tar type `6`"),
        (Package::new("a", "1").hard_link("./x", "./y", 0o644), "a hard link to `/y`, which was left out"),
        (Package::new("a", "1").hard_link("./x", "../y", 0o644), "holds the path `../y`"),
        (Package::new("a", "1").without_field("Version"), "expected a field `Version`"),
        (Package::new("a", "1").without_field("Architecture"), "expected a field `Architecture`"),
    ] {
        assert!(refusal(std::slice::from_ref(&package)).contains(expected), "{expected}: {}", refusal(&[package]));
    }
}

/// What reading a package says whose bytes `damage` changed; its digest is that of the whole or of the damaged bytes.
fn damaged(damage: impl Fn(&mut Vec<u8>), digest_of_damaged: bool) -> String {
    let large = "some text that is long enough to be compressed\n".repeat(5000);
    let (_folder, mut debs) = packages(&[Package::new("a", "1").file("./x", 0o644, &large), Package::new("b", "1")]);
    let mut bytes = std::fs::read(&debs[0].path).unwrap();
    damage(&mut bytes);
    std::fs::write(&debs[0].path, &bytes).unwrap();
    if digest_of_damaged {
        debs[0].digest = Digest::of(&bytes);
    }
    let recipe = Recipe::default();
    let inputs = Inputs { debs: &debs, recipe: &recipe, authorities: &[], epoch: EPOCH };
    let error: &dyn std::error::Error = &debian::rootfs::write(&inputs, std::io::sink()).unwrap_err();
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[test]
fn damaged_packages_are_named() {
    let flip = |bytes: &mut Vec<u8>| {
        let at = bytes.len() - 100;
        bytes[at] ^= 1;
    };
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 100);
    let rename = |bytes: &mut Vec<u8>| {
        let at = bytes.windows(11).position(|name| name == b"data.tar.xz").unwrap();
        bytes[at..at + 11].copy_from_slice(b"data.tar.zz");
    };
    for found in [damaged(flip, false), damaged(cut, false)] {
        assert!(found.contains("0.deb: expected sha256:"), "{found}");
    }
    for found in [damaged(flip, true), damaged(cut, true)] {
        assert!(found.contains("reading the package") && found.contains("0.deb"), "{found}");
    }
    assert!(damaged(rename, true).contains("found `data.tar.zz`"), "{}", damaged(rename, true));
    assert!(damaged(Vec::clear, true).contains("0.deb"));
    let text = |bytes: &mut Vec<u8>| *bytes = b"<html>not found</html>".to_vec();
    assert!(damaged(text, true).contains("0.deb"));
    let none = |bytes: &mut Vec<u8>| *bytes = b"!<arch>\n".to_vec();
    assert!(damaged(none, true).contains("expected a member `control.tar`, found none"));
}

#[test]
fn a_writer_that_fails_ends_the_work() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let large = "0123456789abcdef".repeat(3 << 19);
    let made = ["a", "b", "c"].map(|name| Package::new(name, "1").file(&format!("./{name}"), 0o644, &large));
    let (_folder, debs) = packages(&made);
    let recipe = Recipe::default();
    let inputs = Inputs { debs: &debs, recipe: &recipe, authorities: &[], epoch: EPOCH };
    let error = debian::rootfs::write(&inputs, Full(1 << 20)).unwrap_err();
    assert!(matches!(error, RootfsError::Write(_)), "{error}");
}
