//! Packages, recipes and writers that are not as they should be.

use blob::Digest;
use debian::rootfs::{Inputs, Recipe, RootfsError};

use crate::{
    EPOCH, base,
    common::{Package, packages},
    make, recipe,
};

fn faults(packages: &[Package], text: &str) -> String {
    make(packages, &recipe(text)).unwrap_err().to_string()
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
