//! Maven: settings.xml, the super-POM, and what Maven makes of both.

use crate::world::{World, credentials, proxy, urls, warned};

const SUPER_POM: &str = "org/apache/maven/model/pom-4.0.0.xml";
const CENTRAL: &str = "https://central.example/maven2";

fn super_pom() -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<!-- licence -->\n<project>\n<repositories><repository><id>central</id>\n\
         <url>{CENTRAL}</url></repository></repositories>\n</project>"
    )
}

/// A machine with Maven in `PATH`, as Debian installs it: a link to the home, in which the jar is a link as well.
fn with_maven() -> World {
    World::new()
        .env("PATH", "/usr/local/bin:/usr/bin")
        .file("/opt/build/maven-3/bin/mvn", "#!/bin/sh\n")
        .link("/usr/bin/mvn", "../../opt/build/maven-3/bin/mvn")
        .archive("/usr/share/java/maven3-model-builder.jar", SUPER_POM, &super_pom())
        .link(
            "/opt/build/maven-3/lib/maven-model-builder-3.x.jar",
            "../../../../usr/share/java/maven3-model-builder.jar",
        )
}

fn settings(body: &str) -> String {
    format!("<settings xmlns=\"http://maven.apache.org/SETTINGS/1.2.0\">\n{body}\n</settings>")
}

#[test]
fn the_default_is_read_from_the_maven_in_path() {
    let found = with_maven().discover();
    assert_eq!(urls(&found.maven), [CENTRAL]);
    assert_eq!(found.maven[0].found_in, "the super-POM of Maven, /opt/build/maven-3/lib/maven-model-builder-3.x.jar");
    assert_eq!(found.warnings, Vec::<String>::new());
}

#[test]
fn the_default_is_read_wherever_a_maven_lies() {
    for jar in [
        "/usr/share/maven/lib/maven-model-builder-3.x.jar",
        "/opt/apache-maven-3.9.6/lib/maven-model-builder-3.9.6.jar",
        "/opt/homebrew/opt/maven/libexec/lib/maven-model-builder-3.9.6.jar",
        "/home/ann/.sdkman/candidates/maven/current/lib/maven-model-builder-3.9.6.jar",
        "/home/ann/.m2/wrapper/dists/apache-maven-3.9.6/0a1b/lib/maven-model-builder-3.9.6.jar",
        "/home/ann/.m2/wrapper/dists/apache-maven-3.9.6-bin/0a1b/apache-maven-3.9.6/lib/maven-model-builder-3.9.6.jar",
        "/home/ann/.m2/repository/org/apache/maven/maven-model-builder/3.9.6/maven-model-builder-3.9.6.jar",
    ] {
        let found = World::new().archive(jar, SUPER_POM, &super_pom()).discover();
        assert_eq!(urls(&found.maven), [CENTRAL], "{jar}");
    }
    let jar = "/my/maven/lib/maven-model-builder-3.9.6.jar";
    let found = World::new().env("MAVEN_HOME", "/my/maven").archive(jar, SUPER_POM, &super_pom()).discover();
    assert_eq!(urls(&found.maven), [CENTRAL]);
}

#[test]
fn a_mirror_replaces_the_default_and_needs_no_maven() {
    let found = World::new()
        .file(
            "/home/ann/.m2/settings.xml",
            &settings("<mirrors>\n<mirror><id>corp</id><mirrorOf>*</mirrorOf>\n<url>https://maven.example/all/</url></mirror></mirrors>"),
        )
        .discover();
    assert_eq!(urls(&found.maven), ["https://maven.example/all"]);
    assert_eq!((found.maven[0].id.as_str(), credentials(&found.maven[0])), ("corp", None));
    assert_eq!(found.maven[0].found_in, "~/.m2/settings.xml line 3, mirror `corp` of `central`");
}

#[test]
fn the_users_settings_go_before_the_global_ones() {
    let mirror = |id: &str, of: &str, url: &str| {
        format!("<mirror><id>{id}</id><mirrorOf>{of}</mirrorOf><url>https://{url}</url></mirror>")
    };
    let global = settings(&format!(
        "<mirrors>{}{}<mirror><id>maven-default-http-blocker</id><mirrorOf>external:http:*</mirrorOf>\
         <url>http://0.0.0.0/</url><blocked>true</blocked></mirror></mirrors>",
        mirror("corp", "central", "weaker.example"),
        mirror("other", "other", "other.example")
    ));
    let user = settings(&format!("<mirrors>{}</mirrors>", mirror("corp", "central", "stronger.example")));
    let world = with_maven().file("/opt/build/maven-3/conf/settings.xml", &global);
    assert_eq!(urls(&world.discover().maven), ["https://weaker.example"]);
    let found = world.file("/home/ann/.m2/settings.xml", &user).discover();
    assert_eq!(urls(&found.maven), ["https://stronger.example"]);
    assert_eq!(found.warnings, Vec::<String>::new());
}

#[test]
fn repositories_of_active_profiles_go_before_central() {
    let profile = |id: &str, activation: &str| {
        format!(
            "<profile><id>{id}</id>{activation}<repositories><repository><id>{id}</id><url>https://{id}.example</url>\
             </repository></repositories></profile>"
        )
    };
    let snapshots = "<profile><id>snap</id><activation><activeByDefault>true</activeByDefault></activation><repositories>\
                     <repository><id>snap</id><url>https://snap.example</url><releases><enabled>false</enabled></releases>\
                     </repository></repositories></profile>";
    let body = format!(
        "<profiles>{}{}{}{}{}{}{snapshots}</profiles><activeProfiles><activeProfile>named</activeProfile></activeProfiles>",
        profile("named", ""),
        profile("idle", ""),
        profile("default", "<activation><activeByDefault>true</activeByDefault></activation>"),
        profile("by-env", "<activation><property><name>env.CI</name></property></activation>"),
        profile("without-env", "<activation><property><name>!env.CI</name></property></activation>"),
        profile("by-jdk", "<activation><jdk>17</jdk></activation>"),
    );
    let found = with_maven().env("CI", "true").file("/home/ann/.m2/settings.xml", &settings(&body)).discover();
    // Maven asks the repositories of the last profile first.
    assert_eq!(
        urls(&found.maven),
        ["https://by-env.example", "https://default.example", "https://named.example", CENTRAL]
    );
    assert!(warned(&found, &["settings.xml line 2", "`by-jdk`", "activeProfiles"]), "{:?}", found.warnings);
}

#[test]
fn a_profile_may_redefine_central_and_mirrors_are_asked_once() {
    let body = "<mirrors><mirror><id>corp</id><mirrorOf>*,!direct</mirrorOf><url>https://corp.example</url></mirror></mirrors>\
                <profiles><profile><id>p</id><repositories>\
                <repository><id>a</id><url>https://a.example</url></repository>\
                <repository><id>direct</id><url>https://direct.example</url></repository>\
                <repository><id>central</id><url>https://mine.example</url></repository>\
                </repositories></profile></profiles><activeProfiles><activeProfile>p</activeProfile></activeProfiles>";
    let world = with_maven().file("/home/ann/.m2/settings.xml", &settings(body));
    assert_eq!(urls(&world.discover().maven), ["https://corp.example", "https://direct.example"]);
    let without_mirror = settings(&body[body.find("<profiles>").unwrap()..]);
    let found = world.file("/home/ann/.m2/settings.xml", &without_mirror).discover();
    assert_eq!(urls(&found.maven), ["https://a.example", "https://direct.example", "https://mine.example"]);
}

#[test]
fn credentials_come_from_the_server_of_the_same_id() {
    let found_with = |server: &str| {
        let body = format!(
            "<servers><server><id>other</id><username>x</username><password>y</password></server>{server}</servers>\
             <mirrors><mirror><id>corp</id><mirrorOf>*</mirrorOf><url>https://${{env.HOST_NAME}}/m</url></mirror></mirrors>"
        );
        World::new()
            .env("HOST_NAME", "maven.example")
            .env("PASSWORD", "p&ss")
            .file("/home/ann/.m2/settings.xml", &settings(&body))
            .file("/home/ann/.netrc", "machine maven.example login net password rc")
            .discover()
    };
    let server = |inner: &str| format!("\n<server><id>corp</id>{inner}</server>");

    let found = found_with(&server("<username>${user.home}</username><password>${env.PASSWORD}</password>"));
    assert_eq!(credentials(&found.maven[0]).unwrap(), "/home/ann p&ss");
    assert_eq!(urls(&found.maven), ["https://maven.example/m"]);

    let found = found_with(&server(
        "<configuration><httpHeaders><property><name>Job-Token</name><value>${env.PASSWORD}</value></property>\
         </httpHeaders></configuration>",
    ));
    assert_eq!(credentials(&found.maven[0]).unwrap(), "Job-Token: p&ss");

    let found = found_with(&server("<username>a</username><password>{COQLCE6DU6GtcS5P=}</password>"));
    assert_eq!(credentials(&found.maven[0]).unwrap(), "net rc");
    assert!(warned(&found, &["settings.xml line 3", "server `corp`", "encrypted", "env.NAME"]), "{:?}", found.warnings);

    let found = found_with(&server("<username>a</username><password>${env.UNSET}</password>"));
    assert!(warned(&found, &["server `corp`", "not set"]), "{:?}", found.warnings);

    let found = found_with(&server("<username>a</username><password>\\{plain\\}</password>"));
    assert_eq!(credentials(&found.maven[0]).unwrap(), "a \\{plain\\}");
}

#[test]
fn proxies_and_their_exceptions_are_honoured() {
    let body = "<proxies><proxy><id>off</id><active>false</active><host>off.example</host></proxy>\
                <proxy><id>on</id><protocol>http</protocol><host>proxy.example</host><port>3128</port>\
                <username>ann</username><password>p@ss</password><nonProxyHosts>*.in.example|localhost</nonProxyHosts></proxy>\
                </proxies><profiles><profile><id>p</id><activation><activeByDefault>true</activeByDefault></activation>\
                <repositories><repository><id>inside</id><url>https://maven.in.example</url></repository></repositories>\
                </profile></profiles>";
    let found = with_maven().file("/home/ann/.m2/settings.xml", &settings(body)).discover();
    assert_eq!(urls(&found.maven), ["https://maven.in.example", CENTRAL]);
    assert_eq!(found.maven.iter().map(proxy).collect::<Vec<_>>(), ["direct", "http://ann:p%40ss@proxy.example:3128"]);
    assert!(!format!("{found:?}").contains("p%40ss"));

    let https = body.replace("<protocol>http</protocol>", "<protocol>https</protocol>");
    let found = with_maven().file("/home/ann/.m2/settings.xml", &settings(&https)).discover();
    assert_eq!(proxy(&found.maven[1]), "http://ann:p%40ss@proxy.example:3128");
}

#[test]
fn plain_http_and_blocked_repositories_are_warned_of() {
    let body = "<servers><server><id>corp</id><username>a</username><password>b</password></server></servers><mirrors>\
                <mirror><id>corp</id><mirrorOf>central</mirrorOf><url>http://plain.example</url></mirror></mirrors>";
    let found = World::new().file("/home/ann/.m2/settings.xml", &settings(body)).discover();
    assert_eq!(urls(&found.maven), ["http://plain.example"]);
    assert!(warned(&found, &["in clear", "plain.example"]), "{:?}", found.warnings);

    let blocked = "<mirrors><mirror><id>no</id><mirrorOf>*</mirrorOf><url>http://0.0.0.0</url><blocked>true</blocked></mirror></mirrors>";
    let found = with_maven().file("/home/ann/.m2/settings.xml", &settings(blocked)).discover();
    assert_eq!(urls(&found.maven), Vec::<&str>::new());
    assert!(warned(&found, &["mirror `no`", "blocks", "`central`"]), "{:?}", found.warnings);
}

#[test]
fn a_malformed_settings_file_is_named_and_the_next_place_is_looked_at() {
    for (text, problem) in [
        ("<settings>\n<mirrors>\n</settings>", "~/.m2/settings.xml line 3"),
        ("", "~/.m2/settings.xml line 1"),
        ("<project/>", "expected the element `settings`, found `project`"),
        ("<!DOCTYPE settings [<!ENTITY a \"b\">]>\n<settings>&a;</settings>", "~/.m2/settings.xml line 1"),
    ] {
        let found = with_maven().file("/home/ann/.m2/settings.xml", text).discover();
        assert_eq!(urls(&found.maven), [CENTRAL], "{text}");
        assert!(warned(&found, &[problem]), "{text}: {:?}", found.warnings);
    }
    let found = with_maven().folder("/home/ann/.m2/settings.xml").discover();
    assert_eq!(urls(&found.maven), [CENTRAL]);
    assert!(warned(&found, &["reading ~/.m2/settings.xml"]), "{:?}", found.warnings);
    let found = with_maven().link("/home/ann/.m2/settings.xml", "settings.xml").discover();
    assert!(warned(&found, &["reading ~/.m2/settings.xml"]), "{:?}", found.warnings);
}

#[test]
fn a_byte_order_mark_and_dos_line_ends_do_no_harm() {
    let body = "<mirrors>\r\n<mirror>\r\n<id>corp</id>\r\n<mirrorOf>\r\n central\r\n</mirrorOf>\r\n\
                <url>\r\n https://corp.example \r\n</url></mirror></mirrors>";
    let text = format!("\u{feff}{}", settings(body));
    let found = World::new().file("/home/ann/.m2/settings.xml", &text).discover();
    assert_eq!(urls(&found.maven), ["https://corp.example"]);
    assert!(found.maven[0].found_in.contains("line 3"), "{}", found.maven[0].found_in);
}

#[test]
fn addresses_that_cannot_be_used_are_warned_of_without_their_password() {
    for url in ["file:///srv/maven", "https://ann:hidden@x.example/${unknown}", "https://ann:hidden@ x.example", ""] {
        let body = format!("<mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors>");
        let found = with_maven().file("/home/ann/.m2/settings.xml", &settings(&body)).discover();
        // Not `central`: whoever names a mirror of everything does not want it asked.
        assert_eq!(urls(&found.maven), Vec::<&str>::new(), "{url}");
        assert!(warned(&found, &["mirror `m`"]), "{url}: {:?}", found.warnings);
        assert!(!format!("{found:?}").contains("hidden"), "{found:?}");
    }
}

#[test]
fn a_damaged_maven_is_passed_over() {
    let world = with_maven()
        .file("/opt/build/maven-3/lib/maven-model-builder-0.jar", "no archive")
        .archive("/opt/build/maven-3/lib/maven-model-builder-1.jar", "other", "")
        .archive("/opt/build/maven-3/lib/maven-model-builder-2.jar", SUPER_POM, "<project/>")
        .archive("/opt/build/maven-3/lib/maven-model-builder-2b.jar", SUPER_POM, "<project>");
    let found = world.discover();
    assert_eq!(urls(&found.maven), [CENTRAL]);
    assert!(warned(&found, &["maven-model-builder-0.jar"]), "{:?}", found.warnings);
    assert!(warned(&found, &["maven-model-builder-2b.jar"]), "{:?}", found.warnings);
    for name in ["maven-model-builder-1.jar", "maven-model-builder-2.jar"] {
        let mut looked = found.looked_at.iter().filter(|looked| looked.place.ends_with(name));
        assert!(looked.any(|looked| looked.found == "no `central` in it"), "{name}");
    }
}

#[test]
fn maven_4_has_its_default_in_properties_and_repositories_outside_of_profiles() {
    let body = "<repositories><repository><id>central</id><url>${maven.repo.central}</url></repository>\
                <repository><id>more</id><url>https://more.example</url></repository></repositories>";
    let world = World::new()
        .env("MAVEN_HOME", "/opt/maven-4")
        .archive("/opt/maven-4/lib/maven-model-builder-4.0.0.jar", SUPER_POM, "<project><build/></project>")
        .file("/opt/maven-4/conf/settings.xml", &settings(body))
        .file(
            "/opt/maven-4/conf/maven.properties",
            &format!("# maven.repo.central = no\r\nmaven.repo.central = ${{env.MAVEN_REPO_CENTRAL:-{CENTRAL}}}\r\n"),
        );
    let found = world.discover();
    assert_eq!(urls(&found.maven), [CENTRAL, "https://more.example"]);
    assert_eq!(found.maven[0].found_in, "/opt/maven-4/conf/maven.properties");
    assert_eq!(found.warnings, Vec::<String>::new());
    let world = world.env("MAVEN_REPO_CENTRAL", "https://env.example/m");
    assert_eq!(urls(&world.discover().maven), ["https://env.example/m", "https://more.example"]);
    let world = world.file("/home/ann/.m2/maven.properties", "maven.repo.central=https://own.example/m");
    assert_eq!(urls(&world.discover().maven)[0], "https://own.example/m");
}
