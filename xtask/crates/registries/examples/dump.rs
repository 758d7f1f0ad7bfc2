//! temp
use registries::*;
fn main() {
    let found = discover(&Machine::current(".".into()), &[], &[]);
    let which = std::env::args().nth(1).unwrap();
    for e in if which == "maven" { found.maven } else { found.pypi } {
        let proxy = match &e.proxy {
            Proxy::Environment => "env".to_owned(),
            Proxy::Direct => "direct".into(),
            Proxy::Through(u) => u.expose().to_owned(),
        };
        let auth = e
            .auth
            .as_ref()
            .map(|a| {
                let (n, v) = a.header();
                format!("{n}: {}", v.expose())
            })
            .unwrap_or_default();
        println!("{}\t{}\t{}\t{}", e.id, e.url, auth, proxy);
    }
    for w in found.warnings {
        eprintln!("{w}");
    }
}
