//! Scripts: those that a wheel brings, with the interpreter written in, and those made of its entry points.
//!
//! Source: PyPA's [entry points](https://packaging.python.org/en/latest/specifications/entry-points/).

use super::Layout;

/// An entry point that becomes a script: `name = module:object`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryPoint {
    pub(super) name: String,
    module: String,
    object: String,
}

/// The `console_scripts` and `gui_scripts` of an `entry_points.txt`, in its order.
///
/// # Errors
/// A sentence: a script without a module and an object, or with a name that is no file name.
pub(super) fn parse(text: &str) -> Result<Vec<EntryPoint>, String> {
    let mut scripts = Vec::new();
    let mut in_scripts = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            in_scripts = matches!(section.trim(), "console_scripts" | "gui_scripts");
            continue;
        }
        if in_scripts {
            scripts.push(entry_point(line)?);
        }
    }
    Ok(scripts)
}

fn entry_point(line: &str) -> Result<EntryPoint, String> {
    let error = || format!("expected `name = module:object` in entry_points.txt, found `{line}`");
    let (name, target) = line.split_once('=').ok_or_else(error)?;
    // Extras in brackets are of old; nobody acts on them.
    let target = target.split('[').next().unwrap_or_default();
    let (module, object) = target.split_once(':').ok_or_else(error)?;
    let (name, module, object) = (name.trim(), module.trim(), object.trim());
    let is_path = |text: &str| text.split('.').all(is_identifier);
    if name.is_empty()
        || name.starts_with('.')
        || name.contains(['/', '\\', '\0'])
        || !is_path(module)
        || !is_path(object)
    {
        return Err(error());
    }
    Ok(EntryPoint { name: name.to_owned(), module: module.to_owned(), object: object.to_owned() })
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The scripts that pip itself is installed with: its wheel was made for another Python, so its versioned names are ours.
pub(super) fn of_pip(scripts: Vec<EntryPoint>, layout: &Layout) -> Vec<EntryPoint> {
    let Some(pip) = scripts.iter().find(|script| script.name == "pip").cloned() else { return scripts };
    let (major, minor) = layout.python;
    let names = ["pip".to_owned(), format!("pip{major}"), format!("pip{major}.{minor}")];
    let others = scripts.into_iter().filter(|script| !script.name.starts_with("pip"));
    names.into_iter().map(|name| EntryPoint { name, ..pip.clone() }).chain(others).collect()
}

/// The bytes of the script that runs `script`.
pub(super) fn launcher(script: &EntryPoint, layout: &Layout) -> Vec<u8> {
    let EntryPoint { module, object, .. } = script;
    let imported = object.split('.').next().unwrap_or_default();
    format!(
        "#!{interpreter}\n\
         import sys\n\
         from {module} import {imported}\n\
         if __name__ == \"__main__\":\n    \
             sys.exit({object}())\n",
        interpreter = layout.interpreter
    )
    .into_bytes()
}

/// How a script begins that wants the interpreter written in; `#!pythonw` is meant, too.
pub(super) const PLACEHOLDER: &[u8] = b"#!python";

/// A script with the interpreter in its first line, whatever stood there.
pub(super) fn with_interpreter(script: &[u8], layout: &Layout) -> Vec<u8> {
    let line_end = script.iter().position(|&byte| byte == b'\n').unwrap_or(script.len());
    let mut changed = format!("#!{}", layout.interpreter).into_bytes();
    changed.extend_from_slice(if line_end == script.len() { b"\n" } else { &script[line_end..] });
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_become_scripts() {
        let text = "# comment\n[other]\nx = y\n[console_scripts]\nfoo=foo.cli:main\n bar-2 = bar : App.run [gui,x]\n; c\n[ gui_scripts ]\nwin=foo:gui\n";
        let scripts = parse(text).unwrap();
        assert_eq!(scripts.iter().map(|script| &*script.name).collect::<Vec<_>>(), ["foo", "bar-2", "win"]);
        let launcher = launcher(&scripts[1], &Layout::debian_local((3, 11)));
        assert_eq!(
            String::from_utf8(launcher).unwrap(),
            "#!/usr/bin/python3\nimport sys\nfrom bar import App\nif __name__ == \"__main__\":\n    sys.exit(App.run())\n"
        );
    }

    #[test]
    fn what_is_no_entry_point_is_refused() {
        for line in [
            "foo",
            "foo = bar",
            "foo = bar:",
            "../foo = bar:main",
            ".foo = a:b",
            "foo = bar:main()",
            "foo = 1bar:main",
            " = a:b",
        ] {
            let error = parse(&format!("[console_scripts]\n{line}\n")).unwrap_err();
            assert!(error.contains(line.trim()), "{error}");
        }
    }

    #[test]
    fn pip_has_the_names_of_this_python() {
        let scripts =
            parse("[console_scripts]\npip = pip._internal.cli.main:main\npip3 = p:m\npip3.9 = p:m\nx = p:m\n").unwrap();
        let names: Vec<String> =
            of_pip(scripts, &Layout::debian_local((3, 11))).into_iter().map(|script| script.name).collect();
        assert_eq!(names, ["pip", "pip3", "pip3.11", "x"]);
    }

    #[test]
    fn the_first_line_is_replaced() {
        let changed = |script: &str| with_interpreter(script.as_bytes(), &Layout::debian_local((3, 11)));
        assert_eq!(changed("#!python\nx\n"), b"#!/usr/bin/python3\nx\n");
        assert_eq!(changed("#!pythonw -E\nx"), b"#!/usr/bin/python3\nx");
        assert_eq!(changed("#!python"), b"#!/usr/bin/python3\n");
    }
}
