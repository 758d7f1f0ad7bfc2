//! The settings file, parsed again.

use maven::settings::{Proxy, ProxyError, Repository, Settings, render};
use registries::{Auth, BaseUrl, Secret};

fn repository(url: &str) -> Repository {
    let (url, auth) = BaseUrl::parse(url).expect("a URL");
    Repository { name: "Müller & <Co>".to_owned(), url, auth, proxy: None }
}

/// The texts of all elements at a path below the root.
fn texts(xml: &str, path: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(xml).expect("well-formed XML");
    let mut found = vec![document.root_element()];
    for name in path.split('/') {
        found = found
            .iter()
            .flat_map(|node| {
                node.children().filter(|child| child.has_tag_name(("http://maven.apache.org/SETTINGS/1.0.0", name)))
            })
            .collect();
    }
    found.iter().map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_first_mirrors_all_and_each_further_one_itself() {
    let settings = Settings {
        repositories: vec![repository("https://first.example/maven"), repository("http://second.example/m2")],
        offline: true,
        local_repository: Some("/home/a & b/repository".to_owned()),
    };
    let xml = render(&settings);
    assert_eq!(texts(&xml, "localRepository"), ["/home/a & b/repository"]);
    assert_eq!(texts(&xml, "offline"), ["true"]);
    assert_eq!(texts(&xml, "mirrors/mirror/id"), ["central", "registry-2"]);
    assert_eq!(texts(&xml, "mirrors/mirror/mirrorOf"), ["*", "registry-2"]);
    assert_eq!(texts(&xml, "mirrors/mirror/url"), ["https://first.example/maven", "http://second.example/m2"]);
    assert_eq!(texts(&xml, "mirrors/mirror/name"), ["Müller & <Co>", "Müller & <Co>"]);
    for list in ["repositories/repository", "pluginRepositories/pluginRepository"] {
        assert_eq!(texts(&xml, &format!("profiles/profile/{list}/id")), ["central", "registry-2"]);
    }
    assert_eq!(texts(&xml, "activeProfiles/activeProfile"), texts(&xml, "profiles/profile/id"));
    assert!(texts(&xml, "servers").is_empty() && texts(&xml, "proxies").is_empty());
}

#[test]
fn no_registry_leaves_the_projects_own() {
    let xml = render(&Settings::default());
    assert_eq!(texts(&xml, "offline"), ["false"]);
    assert!(texts(&xml, "mirrors").is_empty() && texts(&xml, "profiles").is_empty());
}

#[test]
fn credentials_go_in_as_maven_reads_them() {
    let with = |auth: Auth| Repository { auth: Some(auth), ..repository("https://registry.example") };
    let basic = |password: &str| Auth::Basic { user: "ann".to_owned(), password: Secret::new(password) };
    let xml = render(&Settings {
        repositories: vec![
            with(basic("<p&w>\u{1}\"]]>")),
            with(Auth::Bearer(Secret::new("t0ken"))),
            with(Auth::Header { name: "Job-Token".to_owned(), value: Secret::new("j") }),
            // Maven would take this for an encrypted one.
            with(basic("{aGVsbG8=}")),
        ],
        ..Settings::default()
    });
    assert_eq!(texts(&xml, "servers/server/id"), ["central", "registry-2", "registry-3", "registry-4"]);
    assert_eq!(texts(&xml, "servers/server/password"), ["<p&w>\"]]>"]);
    let property = "servers/server/configuration/httpHeaders/property";
    assert_eq!(texts(&xml, &format!("{property}/name")), ["Authorization", "Job-Token", "Authorization"]);
    assert_eq!(texts(&xml, &format!("{property}/value")), ["Bearer t0ken", "j", "Basic YW5uOnthR1ZzYkc4PX0="]);
}

#[test]
fn a_proxy_excludes_the_registries_that_do_not_use_it() {
    let proxy = Proxy::parse("http://ann:p%26w@Proxy.example:3128").expect("a proxy");
    let through = |url: &str| Repository { proxy: Some(proxy.clone()), ..repository(url) };
    let xml = render(&Settings {
        repositories: vec![through("https://a.example"), repository("https://b.example"), through("https://c.example")],
        ..Settings::default()
    });
    assert_eq!(texts(&xml, "proxies/proxy/id"), ["proxy-1"]);
    assert_eq!(texts(&xml, "proxies/proxy/host"), ["proxy.example"]);
    assert_eq!(texts(&xml, "proxies/proxy/port"), ["3128"]);
    assert_eq!(texts(&xml, "proxies/proxy/password"), ["p&w"]);
    assert_eq!(texts(&xml, "proxies/proxy/nonProxyHosts"), ["b.example"]);
}

#[test]
fn a_proxy_that_maven_cannot_be_given_is_refused() {
    assert!(matches!(Proxy::parse("socks5://proxy.example:1080"), Err(ProxyError::Url(_))));
    for credentials in ["ann:%7BaGVsbG8=%7D", "ann:x$%7Bhome%7D", "a%7Bnn:x"] {
        let error =
            Proxy::parse(&format!("http://{credentials}@proxy.example:3128")).expect_err("an error").to_string();
        assert!(error.starts_with("expected user and password of the proxy http://proxy.example:3128 without `{`"));
        assert!(!error.contains("ann") && !error.contains("aGVsbG8"), "{error}");
    }
}
