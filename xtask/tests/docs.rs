//! Documents, manual pages and completions: whole commands, and the shells that read what they print.

mod support;

use std::{
    fs,
    process::{Command, Stdio},
};

use support::{Repository, Run};

#[test]
fn documents_are_written_then_fit_and_what_is_wrong_with_them_is_an_error() {
    let repository = Repository::new();
    repository.write("README.md", "# One\n[two](docs/two.md#a-heading)\n<!-- table:picture --><!-- /table -->\n");
    repository.write("docs/two.md", "## A heading\n<!-- table:images --><!-- /table -->\n");
    let check = repository.run(&["docs", "--check"]);
    assert_eq!(check.code, Some(1));
    check.says("2 documents are not as rendered\nto write them: cargo xtask docs");
    check.says("+| `base:1` | a |  |");
    repository.ok(&["docs"]).says("wrote README.md\nwrote docs/two.md\n");
    repository.ok(&["docs", "--check"]).says("the documents are as they should be");
    let readme = fs::read_to_string(repository.path("README.md")).unwrap();
    assert!(readme.contains("```mermaid\ngraph LR\n  n0[\"base\"]\n  n1[\"custom\"]\n"), "{readme}");
    assert!(readme.contains("  n0 --> n1\n  n1 --> n2\n"), "{readme}");
    // The picture is that of the table, whatever is built here.
    repository.ok(&["build-layers"]);
    repository.ok(&["docs", "--check"]);

    repository.replace("docs/two.md", "## A heading", "## Another");
    repository.write("docs/three.md", "\n[x](../docker/nothing)\n");
    for args in [&["docs"][..], &["docs", "--check"]] {
        let run = repository.run(args);
        assert_eq!(run.code, Some(1), "{args:?}");
        run.says(
            "error: 2 mistakes in documents:\n  \
             README.md:2: `docs/two.md#a-heading`: docs/two.md has no heading `#a-heading`\n  \
             docs/three.md:2: `../docker/nothing`: there is no docker/nothing",
        );
    }
    repository.write("docs/three.md", "<!-- table:nothing --><!-- /table -->");
    repository
        .run(&["docs"])
        .says("error: rendering docs/three.md: there is no table `nothing`; tables: images, picture");
}

#[test]
fn a_picture_has_the_colours_of_the_plan() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    repository.write("docker/runtime/rootfs/run", "changed");
    let svg = repository.ok(&["graph", "--format", "svg"]).stdout;
    assert_eq!(svg.matches("<rect class=\"cached\"").count(), 3, "the legend and two images: {svg}");
    assert!(
        svg.contains("<title>runtime:3.5-3.5.7\ndocker/runtime/rootfs/run changed</title>\n<rect class=\"build\""),
        "{svg}"
    );
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"), "{svg}");
    assert!(svg.contains("prefers-color-scheme: dark"), "{svg}");
    assert_eq!(svg, repository.ok(&["graph", "--format", "svg"]).stdout);
}

#[test]
fn manual_pages_are_written_to_a_folder() {
    let repository = Repository::new();
    repository.ok(&["man", "-o", "share/man1"]).says("to read one: man share/man1/cargo-xtask.1");
    let page = fs::read_to_string(repository.path("share/man1/cargo-xtask-build-layers.1")).unwrap();
    assert!(page.contains(".TH cargo-xtask-build-layers 1 \"\" \"xtask "), "{page}");
    repository.write("file", "");
    repository.run(&["man", "-o", "file"]).says("error: making the folder file: ");
}

/// What a shell answers to a script; nothing where the shell is not installed.
#[expect(clippy::disallowed_methods, reason = "the shells are asked what they make of the completions")]
fn shell(repository: &Repository, name: &str, script: &str) -> Option<String> {
    let text = repository.ok(&["completions", name]).stdout;
    repository.write("completions", &text);
    let mut command = Command::new(name);
    let command = command.args(["-c", script]).current_dir(repository.path("")).env("HOME", repository.path(""));
    match command.env_remove("XDG_CONFIG_HOME").stdin(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("{name} is not installed: what it makes of the completions is not tested");
            None
        }
        output => {
            let run = Run::of(&output.unwrap());
            assert!(
                run.code == Some(0) && run.stderr.is_empty(),
                "{name}: {:?}\n{}{}",
                run.code,
                run.stdout,
                run.stderr
            );
            Some(run.stdout)
        }
    }
}

/// As readline calls what completes a command: the words, and the place of the one to complete.
const BASH: &str = r#"
ask() {
    COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'; COMPREPLY=()
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    local function; function=$(complete -p "$1"); function=${function#*-F }; function=${function%% *}
    "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "$*: ${COMPREPLY[*]}"
}
"#;

#[test]
fn bash_completes_the_words_after_cargo_xtask() {
    let repository = Repository::new();
    let asked = "ask cargo xtask bu; ask cargo +stable --offline xtask load --to k; ask cargo xtask graph --format s\n\
                 ask cargo xtask store ver; ask cargo xtask why --plat; ask cargo build --rel; ask cargo-xtask pul\n\
                 ask cargo xtask why ru; ask cargo xtask run runtime:3; ask cargo xtask smoke custom --spark ''\n";
    let own = "cargo xtask bu: build-layers build-custom bundle\n\
               cargo +stable --offline xtask load --to k: kind k3s\n\
               cargo xtask graph --format s: svg\n\
               cargo xtask store ver: verify\n\
               cargo xtask why --plat: --platform\n";
    // Names of this table; what is shown of one begins after its colon, where readline cuts words.
    let names = "cargo-xtask pul: pull\n\
                 cargo xtask why ru: runtime runtime:3.5-3.5.7 runtime:3.5\n\
                 cargo xtask run runtime:3: 3.5-3.5.7 3.5\n\
                 cargo xtask smoke custom --spark : 3.5.7\n";
    let alone = shell(&repository, "bash", &format!("{BASH}. ./completions\n{asked}")).unwrap();
    assert_eq!(alone, format!("{own}cargo build --rel: \n{names}"));
    // What completed cargo before goes on doing so, whether it was there or is brought by bash-completion when it is needed.
    let other = "_other() { COMPREPLY=(other \"$@\"); }\n";
    let expected = format!("{own}cargo build --rel: other cargo --rel build\n{names}");
    let before = format!("{BASH}{other}complete -F _other cargo\n. ./completions\n. ./completions\n{asked}");
    assert_eq!(shell(&repository, "bash", &before).unwrap(), expected);
    for loader in ["_completion_loader", "_comp_load"] {
        let loaded = format!("{loader}() {{ [[ $1 == cargo ]] && complete -F _other cargo; }}\n");
        let later = format!("{BASH}{other}{loaded}. ./completions\n{asked}{asked}");
        assert_eq!(shell(&repository, "bash", &later).unwrap(), expected.repeat(2), "{loader}");
    }
}

#[test]
fn fish_completes_the_words_after_cargo_xtask() {
    let ask = |words: &str| format!("complete -C 'cargo xtask {words}' | string replace -r '\\t.*' ''; true\n");
    let words = ["bu", "load --to k", "graph --format s", "why runt", "smoke --spark "].map(ask).concat();
    let script = format!("source ./completions\n{words}");
    let Some(answer) = shell(&Repository::new(), "fish", &script) else { return };
    assert_eq!(
        answer,
        "build-custom\nbuild-layers\nbundle\nk3s\nkind\nsvg\nruntime\nruntime:3.5\nruntime:3.5-3.5.7\n3.5.7\n"
    );
}

/// Rust's completions of zsh call a function of this name with the words from `xtask` on.
#[test]
fn zsh_has_the_function_that_completions_of_cargo_ask_for() {
    let script = "compdef() { echo \"compdef $*\" }; . ./completions; echo $+functions[_cargo-xtask]\n\
                  _arguments() { print -rl -- $@ | grep -c -- --registry }; words=(xtask bu) CURRENT=2; _cargo-xtask\n";
    let Some(answer) = shell(&Repository::new(), "zsh", script) else { return };
    assert_eq!(answer, "compdef _cargo-xtask cargo-xtask\n1\n1\n");
}
