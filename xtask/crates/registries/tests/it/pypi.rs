//! Python packages: uv's and pip's configuration, and pip's default.

use crate::world::{World, credentials, proxy, urls, warned};

const MODULE: &str = "pip/_internal/models/index.py";
const DEFAULT: &str = "https://index.example/simple";

fn module() -> String {
    "class PackageIndex:\n    pass\n\n\nPyPI = PackageIndex(\"https://index.example/\", file_storage_domain=\"f.example\")\n\
     TestPyPI = PackageIndex(\n    \"https://test.example/\", file_storage_domain=\"f.example\"\n)\n"
        .to_owned()
}

/// A machine with Debian's pip.
fn with_pip() -> World {
    World::new().file(&format!("/usr/lib/python3/dist-packages/{MODULE}"), &module())
}

#[test]
fn the_default_is_read_wherever_a_pip_lies() {
    for folder in [
        "/usr/lib/python3/dist-packages",
        "/usr/lib/python3.9/site-packages",
        "/usr/lib64/python3.11/site-packages",
        "/usr/local/lib/python3.12/site-packages",
        "/home/ann/.local/lib/python3.11/site-packages",
        "/home/ann/.pyenv/versions/3.11.7/lib/python3.11/site-packages",
        "/home/ann/miniforge3/lib/python3.12/site-packages",
    ] {
        let found = World::new().file(&format!("{folder}/{MODULE}"), &module()).discover();
        assert_eq!(urls(&found.pypi), [DEFAULT], "{folder}");
    }
    for wheel in [
        "/usr/share/python-wheels/pip-23.0.1-py3-none-any.whl",
        "/usr/lib/python3.12/ensurepip/_bundled/pip-24.0-py3-none-any.whl",
    ] {
        let found = World::new().archive(wheel, MODULE, &module()).discover();
        assert_eq!(urls(&found.pypi), [DEFAULT], "{wheel}");
        assert_eq!(found.pypi[0].found_in, format!("the default of an installed pip, {wheel}"));
    }
}

#[test]
fn the_python_in_path_is_followed_to_its_home() {
    let found = World::new()
        .env("PATH", "relative:/usr/bin")
        .file("/opt/py/3.12.1/bin/python3.12", "")
        .link("/usr/bin/python3", "../../opt/py/3.12.1/bin/python3.12")
        .archive("/opt/py/3.12.1/lib/python3.12/ensurepip/_bundled/pip-24.0-py3-none-any.whl", MODULE, &module())
        .discover();
    assert_eq!(urls(&found.pypi), [DEFAULT]);
}

#[test]
fn a_damaged_pip_is_passed_over() {
    let found = with_pip()
        .file("/usr/local/lib/python3.9/site-packages/pip/_internal/models/index.py", "# nothing")
        .file("/usr/local/lib/python3.9/ensurepip/_bundled/pip-1.whl", "no archive")
        .discover();
    assert_eq!(urls(&found.pypi), [DEFAULT]);
    assert!(warned(&found, &["reading pip's default", "pip-1.whl"]), "{:?}", found.warnings);
}

#[test]
fn stronger_settings_go_before_weaker_ones() {
    // From the weakest to the strongest: each one added wins over all before it.
    let mut world = with_pip();
    let conf = |name: &str| format!("[global]\nindex-url = https://{name}.example/simple\n");
    for (path, name) in [
        ("/etc/xdg/pip/pip.conf", "xdg"),
        ("/etc/pip.conf", "etc"),
        ("/home/ann/.pip/pip.conf", "legacy"),
        ("/home/ann/.config/pip/pip.conf", "user"),
        ("/venv/pip.conf", "venv"),
    ] {
        world = world.env("VIRTUAL_ENV", "/venv").file(path, &conf(name));
        assert_eq!(urls(&world.discover().pypi), [format!("https://{name}.example/simple")]);
    }
    world = world.file("/etc/uv/uv.toml", "index-url = \"https://uv-system.example/simple\"");
    assert_eq!(urls(&world.discover().pypi), ["https://uv-system.example/simple"]);
    world = world
        .file("/home/ann/.config/uv/uv.toml", "[[index]]\nurl = \"https://uv-user.example/simple\"\ndefault = true");
    assert_eq!(urls(&world.discover().pypi), ["https://uv-user.example/simple"]);
    for (variable, name) in
        [("PIP_INDEX_URL", "env-pip"), ("UV_INDEX_URL", "env-uv"), ("UV_DEFAULT_INDEX", "env-uv-new")]
    {
        world = world.env(variable, &format!("https://{name}.example/simple/"));
        assert_eq!(urls(&world.discover().pypi), [format!("https://{name}.example/simple")]);
    }
}

#[test]
fn a_stated_pip_conf_replaces_the_users() {
    let conf = |name: &str| format!("[global]\nindex-url = https://{name}.example/simple\n");
    let world = with_pip()
        .file(
            "/home/ann/.config/pip/pip.conf",
            "[global]\nindex-url = https://user.example\nextra-index-url = https://e.example",
        )
        .env("PIP_CONFIG_FILE", "/ci/pip.conf")
        .file("/ci/pip.conf", &conf("ci"));
    assert_eq!(urls(&world.discover().pypi), ["https://ci.example/simple"]);
    let found = world.env("PIP_CONFIG_FILE", "/dev/null").discover();
    assert_eq!(urls(&found.pypi), [DEFAULT]);
}

#[test]
fn extra_indexes_stand_where_their_client_has_them() {
    let world = with_pip().file(
        "/etc/pip.conf",
        "[global]\nextra-index-url =\n  https://one.example/simple\n  https://two.example/simple\n",
    );
    assert_eq!(urls(&world.discover().pypi), [DEFAULT, "https://one.example/simple", "https://two.example/simple"]);
    let world = world.env("UV_INDEX", "corp=https://corp.example/simple https://more.example/simple");
    assert_eq!(
        urls(&world.discover().pypi)[..3],
        ["https://corp.example/simple", "https://more.example/simple", DEFAULT]
    );
    let found = world.env("UV_DEFAULT_INDEX", "https://uv.example/simple").discover();
    assert_eq!(
        urls(&found.pypi),
        ["https://corp.example/simple", "https://more.example/simple", "https://uv.example/simple"]
    );
}

#[test]
fn the_section_of_the_command_goes_before_the_global_one() {
    let text = "\u{feff}[install]\r\nindex_url = https://install.example/simple\r\n[global]\r\n\
                index-url = https://global.example/simple\r\n[freeze]\r\nindex-url = https://no.example\r\n";
    let found = with_pip().file("/etc/pip.conf", text).discover();
    assert_eq!(urls(&found.pypi), ["https://install.example/simple"]);
    assert_eq!(found.pypi[0].found_in, "/etc/pip.conf line 2");
}

#[test]
fn credentials_come_from_the_address_the_variables_or_netrc() {
    let world = World::new()
        .env(
            "UV_INDEX",
            "my-corp=https://a.example/simple MY.CORP=https://eve:own@d.example/simple https://e.example/simple",
        )
        .env("UV_INDEX_MY_CORP_USERNAME", "ann")
        .env("UV_INDEX_MY_CORP_PASSWORD", "from-env")
        .env("UV_EXTRA_INDEX_URL", "https://b.example/simple https://bob:from%2Durl@e.example/simple")
        .env("UV_DEFAULT_INDEX", "https://c.example/other")
        .file("/home/ann/.netrc", "machine b.example login net password rc\nmachine c.example login x password y");
    let found = world.discover();
    let found: Vec<_> = found.pypi.iter().map(|endpoint| credentials(endpoint).unwrap()).collect();
    assert_eq!(found, ["ann from-env", "eve own", "bob from-url", "net rc", "x y"]);
    assert!(!format!("{:?}", world.discover()).contains("from-url"));

    let world = world.env("NETRC", "/ci/netrc").file("/ci/netrc", "machine b.example login ci password hidden\nhidden");
    let found = world.discover();
    assert_eq!(credentials(&found.pypi[3]), None);
    assert!(warned(&found, &["/ci/netrc", "line 2"]), "{:?}", found.warnings);
    assert!(!format!("{found:?}").contains("hidden"));
}

#[test]
fn proxy_certificate_and_trusted_hosts_of_pip_are_seen() {
    let text = "[global]\nproxy = ann:pw@proxy.example:3128\ncert = /etc/corp.pem\ntrusted-host = index.example:443\n  other.example\n";
    let found = with_pip().file("/etc/pip.conf", text).discover();
    assert_eq!(proxy(&found.pypi[0]), "http://ann:pw@proxy.example:3128");
    assert!(warned(&found, &["/etc/pip.conf line 4", "index.example", "extra-ca"]), "{:?}", found.warnings);
    assert!(
        found
            .looked_at
            .iter()
            .any(|looked| looked.place == "/etc/pip.conf line 3" && looked.found.contains("/etc/corp.pem"))
    );
}

#[test]
fn whoever_forbids_indexes_gets_none() {
    let found = with_pip().env("PIP_NO_INDEX", "1").discover();
    assert_eq!(urls(&found.pypi), Vec::<&str>::new());
    assert!(found.looked_at.iter().any(|looked| looked.place == "PIP_NO_INDEX"));
    assert_eq!(urls(&with_pip().env("PIP_NO_INDEX", "0").discover().pypi), [DEFAULT]);
}

#[test]
fn what_the_files_of_uv_say_is_combined() {
    let user = "index-url = \"https://user.example/old\"\nextra-index-url = [\"https://user.example/extra\"]\n\
                [[index]]\nurl = \"https://user.example/index\"\n";
    let system = "[[index]]\nurl = \"https://system.example/index\"\n[[index]]\nurl = \"https://system.example/main\"\n\
                  default = true\n";
    let world = with_pip()
        .file("/home/ann/.config/uv/uv.toml", user)
        .file("/etc/xdg/uv/uv.toml", system)
        .file("/etc/uv/uv.toml", "index-url = 1");
    // An index table that is the default goes before an `index-url`, wherever they stand.
    let expected = [
        "https://user.example/index",
        "https://system.example/index",
        "https://user.example/extra",
        "https://system.example/main",
    ];
    assert_eq!(urls(&world.discover().pypi), expected);
    let found = world.env("UV_INDEX_URL", "https://env.example/old").discover();
    assert_eq!(urls(&found.pypi)[..3], expected[..3]);
    assert_eq!(urls(&found.pypi)[3..], ["https://env.example/old"]);
}

#[test]
fn uv_toml_is_read_as_uv_reads_it() {
    let text = "cache-dir = \"x\"\r\n[[index]]\r\nname = \"pinned\"\r\nurl = \"https://pinned.example\"\r\nexplicit = true\r\n\
                [[index]]\r\nname = \"extra\"\r\nurl = \"https://extra.example/simple\"\r\n\
                [[index]]\r\nname = \"corp\"\r\nurl = \"https://corp.example/simple\"\r\ndefault = true\r\n\
                [pip]\r\nindex-url = \"https://never.example\"\r\nextra-index-url = [\"https://more.example/simple\"]\r\n";
    let world = with_pip().file("/home/ann/.config/uv/uv.toml", text);
    let found = world.discover();
    assert_eq!(
        urls(&found.pypi),
        ["https://extra.example/simple", "https://more.example/simple", "https://corp.example/simple"]
    );
    assert_eq!((found.pypi[2].id.as_str(), found.pypi[2].found_in.as_str()), ("corp", "~/.config/uv/uv.toml line 9"));
    let world = world.env("UV_CONFIG_FILE", "/dev/null");
    assert_eq!(urls(&world.discover().pypi), [DEFAULT]);
    let world = world.env("UV_CONFIG_FILE", "/home/ann/.config/uv/uv.toml").env("UV_NO_CONFIG", "1");
    assert_eq!(urls(&world.discover().pypi), [DEFAULT]);
}

#[test]
fn malformed_files_are_named_and_the_next_place_is_looked_at() {
    let found = with_pip()
        .file("/home/ann/.config/uv/uv.toml", "index-url = \"https://never.example\"\n= 1")
        .file("/home/ann/.config/pip/pip.conf", "[global]\nindex-url never.example\n")
        .file("/etc/pip.conf", "[global]\nindex-url = https://etc.example/simple\n")
        .discover();
    assert_eq!(urls(&found.pypi), ["https://etc.example/simple"]);
    assert!(warned(&found, &["reading ~/.config/uv/uv.toml", "line 2"]), "{:?}", found.warnings);
    assert!(warned(&found, &["reading ~/.config/pip/pip.conf", "line 2"]), "{:?}", found.warnings);

    let found = with_pip().env("PIP_INDEX_URL", "ftp://ann:hidden@x.example").discover();
    assert_eq!(urls(&found.pypi), Vec::<&str>::new());
    assert!(warned(&found, &["PIP_INDEX_URL", "expected the scheme"]), "{:?}", found.warnings);
    assert!(!format!("{found:?}").contains("hidden"));

    let found = with_pip().file("/home/ann/.config/uv/uv.toml", "[[index]]\nname = \"no url\"").discover();
    assert!(warned(&found, &["uv.toml", "line 1: expected a `url`"]), "{:?}", found.warnings);
    assert_eq!(urls(&found.pypi), [DEFAULT]);

    let unnamed = "[[index]]\nurl = \"https://never.example\"\nexplicit = true";
    let found = with_pip().file("/home/ann/.config/uv/uv.toml", unnamed).discover();
    assert!(warned(&found, &["uv.toml", "line 1: expected a `name`"]), "{:?}", found.warnings);
}
