//! What the user states to us, and what is said if nothing is found.

use registries::{Kind, Registries};

use crate::world::{World, archives, credentials, proxy, urls, warned};

#[test]
fn stronger_places_go_before_weaker_ones_for_each_kind_on_its_own() {
    let mut world = World::new().env("PIP_INDEX_URL", "https://client.example/simple").file(
        "/home/ann/.config/spark-images/registries.toml",
        "pypi = \"https://user.example\"\nmaven = \"https://m.example\"",
    );
    assert_eq!(urls(&world.discover().pypi), ["https://user.example"]);
    world =
        world.file("/src/repo/docker/registries.toml", "pypi = [\"https://repo.example\", \"https://repo2.example\"]");
    assert_eq!(urls(&world.discover().pypi), ["https://repo.example", "https://repo2.example"]);
    world =
        world.env("SPARK_IMAGES_REGISTRIES", "pypi=https://all.example  debian=https://d.example,https://e.example");
    assert_eq!(urls(&world.discover().pypi), ["https://all.example"]);
    world = world.env("SPARK_IMAGES_PYPI", "https://one.example, https://two.example\thttps://three.example");
    assert_eq!(urls(&world.discover().pypi), ["https://one.example", "https://two.example", "https://three.example"]);
    world = world.flag("pypi=https://flag.example").flag("pypi=https://flag2.example");
    let found = world.discover();
    assert_eq!(urls(&found.pypi), ["https://flag.example", "https://flag2.example"]);
    assert_eq!(found.pypi[0].found_in, "--registry");
    assert_eq!(urls(&found.maven), ["https://m.example"]);
    assert_eq!(found.maven[0].found_in, "~/.config/spark-images/registries.toml line 2");
    assert_eq!(found.debian.len(), 2);
    assert_eq!(found.require(&Kind::ALL), Ok(()));
    assert_eq!(found.warnings, Vec::<String>::new());
}

#[test]
fn empty_settings_and_files_say_nothing() {
    let found = World::new()
        .env("SPARK_IMAGES_PYPI", "")
        .file("/src/repo/docker/registries.toml", "# pypi = \"https://registry.example\"\r\nmaven = []\r\n")
        .env("PIP_INDEX_URL", "https://client.example/simple")
        .discover();
    assert_eq!(urls(&found.pypi), ["https://client.example/simple"]);
}

#[test]
fn tables_hold_credentials_by_name_proxies_and_suites() {
    let text = "\u{feff}extra-ca = \"ca/corp.pem\"\r\n\
                maven = [\r\n  { url = \"https://a.example/m\", id = \"corp\", username = \"ann\", password-env = \"PW\" },\r\n\
                { url = \"https://b.example/m\", token-env = \"TOKEN\", proxy = \"http://proxy.example:3128\" },\r\n\
                { url = \"https://c.example/m\", username-env = \"WHO\", password-env = \"UNSET\", proxy = \"none\" },\r\n]\r\n\
                debian = [{ url = \"https://d.example/apt\", suites = [\"bookworm\", \"trixie\"] }]\r\n";
    let found = World::new()
        .file("/src/repo/docker/registries.toml", text)
        .file("/home/ann/.config/spark-images/registries.toml", "extra-ca = [\"/etc/corp.pem\", \"~/own.pem\"]")
        .env("SPARK_IMAGES_CA", "/etc/corp.pem")
        .env("PW", "one")
        .env("TOKEN", "two")
        .env("WHO", "bob")
        .discover();
    let users: Vec<_> = found.maven.iter().map(credentials).collect();
    assert_eq!(users, [Some("ann one".to_owned()), Some("bearer two".to_owned()), None]);
    assert_eq!(found.maven.iter().map(proxy).collect::<Vec<_>>(), ["", "http://proxy.example:3128", "direct"]);
    assert_eq!(
        (found.maven[0].id.as_str(), found.maven[0].found_in.as_str()),
        ("corp", "/src/repo/docker/registries.toml line 3")
    );
    assert!(warned(&found, &["line 5", "UNSET", "without credentials"]), "{:?}", found.warnings);
    assert_eq!(archives(&found.debian), ["https://d.example/apt bookworm"]);
    let paths: Vec<_> = found.extra_ca.iter().map(|ca| ca.path.as_str()).collect();
    assert_eq!(paths, ["/etc/corp.pem", "/src/repo/docker/ca/corp.pem", "/home/ann/own.pem"]);
    assert_eq!(found.extra_ca[1].found_in, "/src/repo/docker/registries.toml line 1");
}

#[test]
fn archives_that_were_stated_share_the_suites() {
    let stated = |value: &str| archives(&World::new().flag(&format!("debian={value}")).discover().debian);
    let all = "bookworm bookworm-updates bookworm-security";
    assert_eq!(
        stated("https://m.example/debian"),
        [format!("https://m.example/debian {all}"), "https://m.example/debian-security bookworm-security".to_owned()]
    );
    assert_eq!(stated("https://m.example/apt-group"), [format!("https://m.example/apt-group {all}")]);
    assert_eq!(
        stated("https://m.example/debian/,https://s.example/debian-security"),
        ["https://m.example/debian bookworm bookworm-updates", "https://s.example/debian-security bookworm-security"]
    );
}

/// The problem that a discovery reports for a kind.
fn problem(found: &Registries, kind: Kind) -> Option<String> {
    found.require(&[kind]).err()?.kinds.pop()?.problem
}

#[test]
fn a_mistake_in_what_was_stated_is_an_error_and_no_reason_to_look_elsewhere() {
    let client = || World::new().env("PIP_INDEX_URL", "https://client.example/simple");
    for (flag, expected) in [
        ("pypi", "--registry: `pypi`: expected KIND=URL"),
        (
            "npm=https://x.example",
            "--registry: `npm=https://x.example`: `npm` is no kind of registry: expected maven, pypi or debian",
        ),
        ("pypi=", "--registry: `pypi=`: expected a URL after the `=`"),
        (
            "pypi=https//ann:hidden@x.example",
            "--registry: `***@x.example` cannot be the address of a registry: expected https://HOST/PATH",
        ),
    ] {
        let found = client().flag(flag).discover();
        assert_eq!(urls(&found.pypi), Vec::<&str>::new(), "{flag}");
        assert_eq!(problem(&found, Kind::Pypi).as_deref(), Some(expected), "{flag}");
    }
    for (text, expected) in [
        ("pypi = \"https://x.example", "docker/registries.toml line 1"),
        (
            "\npypy = \"https://x.example\"",
            "docker/registries.toml line 2: unknown key `pypy`: expected maven, pypi, debian or extra-ca",
        ),
        ("pypy = []", "docker/registries.toml line 1: unknown key `pypy`"),
        ("pypi = [1]", "docker/registries.toml line 1: `pypi`: expected a URL or a table, found integer"),
        ("pypi = { id = \"x\" }", "docker/registries.toml line 1: `pypi`: expected a `url` in the table"),
        (
            "pypi = { url = \"https://x.example\", password = \"hidden\" }",
            "unknown key `password`: expected one of url, id,",
        ),
        ("pypi = { url = 1 }", "`url`: expected a string"),
        ("debian = { url = \"https://x.example\", suites = \"bookworm\" }", "`suites`: expected a list of names"),
        ("extra-ca = 1", "docker/registries.toml line 1: `extra-ca`: expected the path of a file"),
        ("pypi = \"file:///srv/simple\"", "docker/registries.toml line 1: `file:///srv/simple` cannot be the address"),
    ] {
        let found = client().file("/src/repo/docker/registries.toml", text).discover();
        let problem = problem(&found, Kind::Pypi).unwrap_or_default();
        assert!(problem.contains(expected), "{text}: {problem}");
        assert!(!format!("{found:?}").contains("hidden"), "{found:?}");
    }
}

#[test]
fn a_mistake_does_not_touch_what_stronger_places_say() {
    let found = World::new()
        .flag("pypi=https://flag.example")
        .env("SPARK_IMAGES_REGISTRIES", "nonsense")
        .file("/src/repo/docker/registries.toml", "=")
        .discover();
    assert_eq!(found.require(&[Kind::Pypi]), Ok(()));
    assert_eq!(problem(&found, Kind::Maven).unwrap(), "SPARK_IMAGES_REGISTRIES: `nonsense`: expected KIND=URL");
}

#[test]
fn one_error_lists_all_that_is_missing_and_the_line_to_paste() {
    let world = World::new();
    let error = world.discover().require(&Kind::ALL).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines[0], "no package registry is known for maven, pypi, debian");
    assert_eq!(*lines.last().unwrap(), "set SPARK_IMAGES_REGISTRIES='maven=URL pypi=URL debian=URL'");
    for line in [
        "  maven: looked at",
        "    --registry: not set",
        "    /src/repo/docker/registries.toml: no such file",
        "    ~/.m2/settings.xml: no such file",
        "    PIP_INDEX_URL: not set",
        "    /etc/apt/sources.list: no such file",
    ] {
        assert!(lines.contains(&line), "{line}: {error}");
    }
    let found = world.flag("maven=https://m.example").discover();
    assert_eq!(found.require(&[Kind::Maven]), Ok(()));
    let error = found.require(&[Kind::Debian, Kind::Maven]).unwrap_err().to_string();
    assert!(error.ends_with("set SPARK_IMAGES_REGISTRIES='debian=URL'"), "{error}");
}

#[test]
fn a_user_without_a_home_is_no_problem() {
    let mut world = World::new().env("SPARK_IMAGES_MAVEN", "https://m.example");
    world.machine.home = None;
    assert_eq!(urls(&world.discover().maven), ["https://m.example"]);
}

#[test]
fn plain_http_is_warned_of_unless_it_is_local() {
    let found = World::new().flag("pypi=http://plain.example/simple,http://127.0.0.1:8080/simple").discover();
    assert!(warned(&found, &["--registry", "http://plain.example/simple", "not encrypted"]), "{:?}", found.warnings);
    assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
}
