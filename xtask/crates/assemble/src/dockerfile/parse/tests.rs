use super::*;
use crate::dockerfile::{Mount, MountKind, Network, Sharing};

fn parse(text: &str) -> Dockerfile {
    Dockerfile::parse("D", text).unwrap()
}

fn only(text: &str) -> Instruction {
    let mut stages = parse(&format!("FROM scratch\n{text}")).stages;
    assert_eq!(stages[0].instructions.len(), 1);
    stages.remove(0).instructions.remove(0).value
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn lists_and_lines_are_told_apart() {
    assert_eq!(only("CMD [\"a\", \"b c\"]"), Instruction::Cmd(CommandLine::Exec(words(&["a", "b c"]))));
    assert_eq!(only("CMD [\"a\",]"), Instruction::Cmd(CommandLine::Shell("[\"a\",]".to_owned())));
    assert_eq!(only("cmd run --flag  x"), Instruction::Cmd(CommandLine::Shell("run --flag  x".to_owned())));
    assert_eq!(only("VOLUME /a  /b"), Instruction::Volume(words(&["/a", "/b"])));
}

#[test]
fn pairs_have_an_old_and_a_new_form() {
    let pair = |key: &str, value: &str| Pair { key: key.to_owned(), value: value.to_owned() };
    assert_eq!(only("ENV a  b  c=d"), Instruction::Env(vec![pair("a", "b  c=d")]));
    assert_eq!(only("ENV a=\"b c\" d="), Instruction::Env(vec![pair("a", "\"b c\""), pair("d", "")]));
}

#[test]
fn flags_of_copy_are_read() {
    let Instruction::Copy(copy) = only("COPY --chown=1:2 --from=x --link a b /c/") else { panic!() };
    let expected = Copy {
        from: Some("x".to_owned()),
        chown: Some("1:2".to_owned()),
        link: true,
        sources: words(&["a", "b"]),
        target: "/c/".to_owned(),
        ..Copy::default()
    };
    assert_eq!(copy, expected);
}

#[test]
fn times_are_go_s() {
    for (text, expected) in [
        ("90s", Some(90_000_000_000)),
        ("1h2m3.5s", Some(3_723_500_000_000)),
        ("300ms", Some(300_000_000)),
        ("0", Some(0)),
        ("", None),
        ("5", None),
        ("s", None),
        ("1x", None),
    ] {
        assert_eq!(nanoseconds(text), expected, "{text}");
    }
}

#[test]
fn every_fault_says_what_to_do() {
    for (line, expected) in [
        ("RUN", "RUN needs a command"),
        ("RUN []", "RUN needs a command, found an empty list"),
        ("RUN --privileged x", "RUN has no flag --privileged; there are --mount, --network and --security"),
        ("RUN --network=host x", "--network=host is not supported; use --network=default, or none"),
        ("RUN --network=lan x", "--network must be none or default, found `lan`"),
        ("RUN --security=insecure x", "--security=insecure is not supported"),
        ("RUN --mount=type=ssh x", "--mount=type=ssh is not supported; use a secret"),
        ("RUN --mount=type=disk x", "`disk` is no type of a mount; there are bind, cache, secret and tmpfs"),
        ("RUN --mount=type=cache x", "a mount of type cache needs a target: target=/…"),
        ("RUN --mount=type=secret x", "a secret needs an id: --mount=type=secret,id=…"),
        ("RUN --mount=type=tmpfs,target=/t,mode=1 x", "a mount of type tmpfs has no `mode`; there are size, target"),
        ("RUN --mount=target=/t,from=$X x", "from=$X cannot have variables; make it a stage: FROM $X AS name"),
        ("RUN --mount=target=/t,ro=maybe x", "`readonly` of a mount must be true or false, found `maybe`"),
        ("RUN --mount=type=cache,target=/t,sharing=x x", "sharing must be shared, locked or private, found `x`"),
        ("RUN --mount=target= x", "`target` of a mount of type bind needs a value: target=…"),
        ("RUN <<X\n#!/bin/sh\nX", "a here-document that names its interpreter is not supported; COPY it to a file"),
        ("ONBUILD USER x", "ONBUILD is not supported; put the instruction into the Dockerfiles"),
        ("MAINTAINER me", "use LABEL org.opencontainers.image.authors"),
        ("COPPY a b", "`COPPY` is no instruction; there are ADD, ARG, CMD"),
        ("COPY a", "COPY needs at least one source and a target"),
        ("COPY --form=x a b", "COPY has no flag --form here"),
        ("COPY --chown a b", "--chown needs a value: --chown=…"),
        ("COPY --link=maybe a b", "--link must be true or false, found `maybe`"),
        ("ADD --from=x a b", "ADD has no flag --from here"),
        ("COPY a <<X\nX", "the target of COPY cannot be a here-document"),
        ("CMD --x", "CMD has no flag --x"),
        ("ENV a", "ENV needs key=value, found `a`"),
        ("LABEL a=b c d=e", "`c` has no `=`; quote a value with spaces in it"),
        ("ARG =x", "`=x` has no name"),
        ("CMD [1]", "a list in JSON must hold texts only, found 1"),
        ("SHELL /bin/sh", "SHELL needs a JSON list"),
        ("USER", "USER needs an argument"),
        ("EXPOSE", "EXPOSE needs at least one argument"),
        ("WORKDIR --x /a", "WORKDIR has no flag --x"),
        ("HEALTHCHECK", "HEALTHCHECK needs `CMD command` or `NONE`"),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK --interval=1us CMD x", "--interval must be at least 1ms, found `1us`"),
        ("HEALTHCHECK --retries=-1 CMD x", "--retries must be a number, 0 or more, found `-1`"),
        ("HEALTHCHECK --often=1s CMD x", "HEALTHCHECK has no flag --often"),
    ] {
        let problems = Dockerfile::parse("D", &format!("FROM scratch\n{line}")).unwrap_err().problems;
        assert_eq!((problems.len(), problems[0].line), (1, 2), "{line}");
        assert!(problems[0].message.contains(expected), "{line}\n{}", problems[0].message);
    }
}

#[test]
fn run_has_its_flags_and_its_here_documents() {
    let run = |text: &str| match only(text) {
        Instruction::Run(run) => run,
        other => panic!("{other:?}"),
    };
    let plain = |command| Run { command, network: None, mounts: vec![] };
    let shell = |line: &str| CommandLine::Shell(line.to_owned());
    assert_eq!(run("RUN a \\\n  # note\n  b"), plain(shell("a   b")));
    assert_eq!(run("RUN [\"a\", \"b\"]"), plain(CommandLine::Exec(vec!["a".to_owned(), "b".to_owned()])));
    assert_eq!(run("RUN <<-X\n\ta\n\tb\nX"), plain(shell("a\nb\n")));
    assert_eq!(run("RUN cat <<X >/y\na $b\nX"), plain(shell("cat <<X >/y\na $b\nX")));
    let found = run("RUN --network=none --mount=type=cache,id=i,dst=/c,sharing=locked --mount=target=/b,rw x");
    let cache = Mount {
        kind: MountKind::Cache,
        id: Some("i".to_owned()),
        target: Some("/c".to_owned()),
        sharing: Sharing::Locked,
        ..Mount::default()
    };
    let bind = Mount { target: Some("/b".to_owned()), ..Mount::default() };
    assert_eq!((found.network, found.mounts), (Some(Network::None), vec![cache, bind]));
}
