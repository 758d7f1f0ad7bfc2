//! What a command is given: words, environment, user, folder, network.

use assemble::run::Network;

use super::bench::{Bench, text};

#[test]
fn shells_lists_and_here_documents_are_run() {
    let Some(bench) = Bench::new() else { return };
    let built = bench.build(
        "FROM base\nRUN echo \"$0 a\" | tr a b >/tmp/1 && \\\n  echo c >>/tmp/1\nRUN [\"touch\", \"/tmp/$HOME x\"]\n\
         SHELL [\"/bin/bash\", \"-euc\"]\nRUN echo ${BASH_VERSION:+bash} >/tmp/2\n\
         RUN <<X\necho one >/tmp/3\necho \"$HOME\" >>/tmp/3\nX\nRUN cat <<'A' <<B >/tmp/4\n$HOME\nA\n$HOME\nB",
    );
    let tree = bench.tree(&built);
    assert_eq!(text(&tree, "tmp/1"), "/bin/sh b\nc\n");
    assert!(tree.get("tmp/$HOME x").is_some());
    assert_eq!(text(&tree, "tmp/2"), "bash\n");
    assert_eq!(text(&tree, "tmp/3"), "one\n/root\n");
    assert_eq!(text(&tree, "tmp/4"), "/root\n");
}

#[test]
fn the_environment_is_what_env_and_arg_say() {
    let Some(mut bench) = Bench::new() else { return };
    bench.args.insert("GIVEN".to_owned(), "given".to_owned());
    let instructions =
        "ENV E=env\nARG GIVEN\nARG D=default\nARG NONE\nARG TARGETARCH\nRUN env | sort >/tmp/env; pwd >>/tmp/env";
    let expected = "D=default\nE=env\nGIVEN=given\nHOME=/root\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\nTARGETARCH=amd64\n/\n";
    let said = bench.text(instructions, "tmp/env");
    let said: String = said.lines().filter(|line| !line.starts_with("_=")).map(|line| format!("{line}\n")).collect();
    assert_eq!(said, expected);
    let built = bench.build(&format!("FROM base\n{instructions}"));
    let last = built.config.history.last().unwrap();
    let command = "/bin/sh -c env | sort >/tmp/env; pwd >>/tmp/env";
    let expected = format!("RUN |4 GIVEN=given D=default NONE= TARGETARCH=amd64 {command}");
    assert_eq!((last.created_by.as_deref(), last.empty_layer), (Some(expected.as_str()), false));
}

#[test]
fn the_user_and_the_folder_are_the_stage_s() {
    let Some(bench) = Bench::new() else { return };
    let script = "RUN { id -u; id -g; pwd; echo $HOME; hostname; umask; } >/tmp/who";
    let said = bench.text(&format!("WORKDIR /a\nWORKDIR b\nUSER spark\n{script}"), "tmp/who");
    assert_eq!(said, "185\n185\n/a/b\n/home/spark\nbuildkitsandbox\n0022\n");
    let said = bench.text(&format!("USER 4711\n{script}"), "tmp/who");
    assert_eq!(said, "4711\n0\n/\n/\nbuildkitsandbox\n0022\n");
    let error = bench.refuse("FROM base\nUSER nobody-here\nRUN true");
    assert!(error.contains("Dockerfile:3: `true` could not be run") && error.contains("nobody-here"), "{error}");
}

#[test]
fn there_is_no_network_unless_it_is_allowed() {
    let Some(mut bench) = Bench::new() else { return };
    let devices = "cut -s -d : -f 1 /proc/net/dev | sort >/tmp/n";
    assert_eq!(bench.text(&format!("RUN {devices}"), "tmp/n"), "    lo\n");
    assert_eq!(bench.text(&format!("RUN --network=none {devices}"), "tmp/n"), "    lo\n");
    let error = bench.refuse(&format!("FROM base\nRUN touch /x\nRUN --network=default {devices}"));
    let expected = "Dockerfile:3: --network=default asks for the network, which is off; say yes, or put what";
    assert!(error.starts_with(expected), "{error}");
    bench.network = Network::Allowed;
    let here = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let all = here.lines().filter(|line| line.contains(':')).count();
    for flag in ["", "--network=default "] {
        assert_eq!(bench.text(&format!("RUN {flag}{devices}"), "tmp/n").lines().count(), all);
    }
    assert_eq!(bench.text(&format!("RUN --network=none {devices}"), "tmp/n"), "    lo\n");
}

#[test]
fn output_arrives_line_by_line() {
    let Some(bench) = Bench::new() else { return };
    bench.build("FROM base\nRUN echo out; echo err >&2; printf last");
    assert_eq!(bench.said(), "out\nerr\nlast");
}
