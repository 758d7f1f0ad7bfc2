//! A smoke run as one page: no script, nothing from elsewhere, and every text of a job escaped. It is read on a phone and
//! printed as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
};

use camino::Utf8Path;

use super::{
    Case, Verdict,
    events::{self, Application},
    report::{escaped, totals},
};
use crate::report::text::{count, duration};

/// The most of a log that the page holds: its end.
const LOG: u64 = 64 << 10;
/// The most stages and the most tasks of an application that are drawn.
const STAGES: usize = 60;
const TASKS: usize = 600;
/// Width of a drawing, in its own units, and of the names beside it.
const WIDTH: f64 = 1000.0;
const NAMES: f64 = 260.0;

const STYLE: &str = "
:root { color-scheme: light dark; --good: #2c7a3f; --bad: #c22f2f; --odd: #a36a00; --line: #8885; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; overflow-wrap: anywhere; }
.digest, .note { color: #888; font-size: .8rem; overflow-wrap: anywhere; }
details { border-top: 1px solid var(--line); padding: .3rem 0; }
summary { cursor: pointer; display: flex; flex-wrap: wrap; gap: 0 .8rem; align-items: baseline; }
summary b { flex: 1 1 16rem; font-weight: 600; overflow-wrap: anywhere; }
.bar { background: #4a78b8; height: .5rem; border-radius: 2px; min-width: 2px; align-self: center; }
.track { flex: 0 1 10rem; display: flex; }
ul { list-style: none; margin: .3rem 0; padding: 0; }
li { padding: .1rem 0 .1rem 1.2rem; text-indent: -1.2rem; overflow-wrap: anywhere; }
.passed { color: var(--good); } .failed { color: var(--bad); font-weight: 600; } .skipped, .flaky { color: var(--odd); }
pre { background: #8881; border-radius: 4px; max-height: 30rem; overflow: auto; padding: .5rem; font-size: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
pre:empty { display: none; }
svg { width: 100%; min-width: 30rem; height: auto; } .drawing { overflow-x: auto; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
@media print { body { max-width: none; font-size: 10pt; } pre { max-height: none; } details { break-inside: avoid; } }
";

/// The page. Logs are read from below `root`, event logs from the folders that `events` names for a run.
pub(super) fn page(cases: &[Case], root: &Utf8Path, events: impl Fn(&str) -> camino::Utf8PathBuf) -> String {
    let [passed, failed, skipped] = totals(cases);
    let flaky = cases.iter().filter(|case| case.earlier.is_some()).count();
    let title = format!("{passed} passed, {failed} failed, {skipped} skipped");
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Smoke: {title}</title>\n<style>{STYLE}</style>\n<h1>Smoke: {title}</h1>\n"
    );
    if flaky > 0 {
        add(
            &mut html,
            format_args!("<p class=\"flaky\">{} failed before and passed when run again.</p>\n", count(flaky, "check")),
        );
    }
    let mut images: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        images.entry(&case.image).or_default().push(case);
    }
    let longest = cases.iter().map(|case| case.elapsed.as_secs_f64()).fold(0.1, f64::max);
    for (image, cases) in images {
        add(&mut html, format_args!("<section>\n<h2>{}</h2>\n", escaped(image)));
        let digests: BTreeSet<String> = cases.iter().filter_map(|case| Some(case.digest?.to_string())).collect();
        for digest in digests {
            add(&mut html, format_args!("<div class=\"digest\">{digest}</div>\n"));
        }
        let mut runs: Vec<(&str, Vec<&Case>)> = Vec::new();
        for case in cases {
            match runs.iter_mut().find(|(run, _)| *run == case.run) {
                Some((_, cases)) => cases.push(case),
                None => runs.push((&case.run, vec![case])),
            }
        }
        for (run, cases) in runs {
            add_run(&mut html, image, &cases, longest, root, &events(run));
        }
        html.push_str("</section>\n");
    }
    html + "</html>\n"
}

/// Writing to a string cannot fail.
fn add(html: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = html.write_fmt(text);
}

/// What came of one process: its checks, the end of its log, what Spark did when.
fn add_run(html: &mut String, image: &str, cases: &[&Case], longest: f64, root: &Utf8Path, events: &Utf8Path) {
    let Some(first) = cases.first() else { return };
    let is_bad = cases.iter().any(|case| matches!(case.verdict, Verdict::Failed(_)));
    let [passed, failed, skipped] = totals(&cases.iter().map(|&case| case.clone()).collect::<Vec<_>>());
    let name = first.run.strip_prefix(image).map_or(first.name.as_str(), str::trim);
    let seconds = first.elapsed.as_secs_f64();
    let (class, counted) = if is_bad { ("failed", format!("{failed} failed, ")) } else { ("passed", String::new()) };
    let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    add(
        html,
        format_args!(
            "<details{}><summary><b>{}</b><span class=\"{class}\">{counted}{passed} passed{skipped}</span>\
             <span>{}</span><span class=\"track\"><span class=\"bar\" style=\"width:{:.1}%\"></span></span></summary>\n<ul>\n",
            if is_bad { " open" } else { "" },
            escaped(name),
            escaped(&duration(first.elapsed)),
            seconds / longest * 100.0
        ),
    );
    for case in cases {
        let (class, sign, text) = match &case.verdict {
            Verdict::Passed(text) => ("passed", "\u{2713}", text),
            Verdict::Failed(text) => ("failed", "\u{2717}", text),
            Verdict::Skipped(text) => ("skipped", "\u{2013}", text),
        };
        let (name, text) = (escaped(&case.name), escaped(text));
        add(html, format_args!("<li><span class=\"{class}\">{sign} {name}</span> {text}"));
        if let Some(earlier) = &case.earlier {
            add(html, format_args!(" <span class=\"flaky\">(failed before: {})</span>", escaped(earlier)));
        }
        html.push_str("</li>\n");
    }
    html.push_str("</ul>\n");
    for application in events::read(events) {
        add_drawing(html, &application);
    }
    if let Some(log) = &first.log {
        add_log(html, log, root);
    }
    html.push_str("</details>\n");
}

fn add_log(html: &mut String, log: &str, root: &Utf8Path) {
    let read = || -> std::io::Result<(Vec<u8>, u64)> {
        let mut file = File::open(root.join(log))?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(LOG)))?;
        let mut end = Vec::new();
        file.take(LOG).read_to_end(&mut end)?;
        Ok((end, size))
    };
    match read() {
        Ok((end, size)) => {
            let cut =
                if size > LOG { format!(", its last {} KiB of {}", LOG >> 10, size >> 10) } else { String::new() };
            let (log, text) = (escaped(log), escaped(&String::from_utf8_lossy(&end)));
            add(html, format_args!("<div class=\"note\">{log}{cut}</div>\n<pre>{text}</pre>\n"));
        }
        Err(error) => {
            let (log, error) = (escaped(log), escaped(&error.to_string()));
            add(html, format_args!("<div class=\"note\">{log}: {error}</div>\n"));
        }
    }
}

/// One line for each stage: the stage as a frame, its tasks as bars in lanes below each other.
fn add_drawing(html: &mut String, application: &Application) {
    let span = (application.end - application.begin.min(application.end)).max(1) as f64;
    let x = |time: u64| NAMES + time.saturating_sub(application.begin) as f64 / span * (WIDTH - NAMES - 10.0);
    let (mut rows, mut y, mut drawn) = (String::new(), 20.0, 0);
    let stages = application.stages.iter().filter(|(_, stage)| stage.begin > 0);
    for ((id, attempt), stage) in stages.clone().take(STAGES) {
        let mut lanes: Vec<u64> = Vec::new();
        let mut bars = String::new();
        let mut tasks: Vec<_> = stage.tasks.iter().collect();
        tasks.sort_by_key(|task| (task.begin, task.end));
        for task in tasks.into_iter().take(TASKS.saturating_sub(drawn)) {
            drawn += 1;
            let lane = lanes.iter().position(|&end| end <= task.begin).unwrap_or(lanes.len());
            lanes.resize(lanes.len().max(lane + 1), 0);
            lanes[lane] = task.end;
            let colour = if task.failed { "var(--bad)" } else { "#4a78b8" };
            let (left, top) = (x(task.begin), y + 3.0 + lane as f64 * 6.0);
            let width = (x(task.end) - left).max(1.5);
            add(
                &mut bars,
                format_args!(
                    "<rect x=\"{left:.1}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"5\" fill=\"{colour}\"><title>executor {}, {} ms</title></rect>",
                    escaped(&task.executor),
                    task.end.saturating_sub(task.begin)
                ),
            );
        }
        let height = (lanes.len() as f64 * 6.0 + 5.0).max(14.0);
        let (left, colour) = (x(stage.begin), if stage.failed { "var(--bad)" } else { "#8888" });
        let width = (x(stage.end) - left).max(2.0);
        let name: String = stage.name.chars().take(40).collect();
        add(
            &mut rows,
            format_args!(
                "<text x=\"0\" y=\"{:.0}\">{id}.{attempt} {}</text><rect x=\"{left:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{height:.0}\" fill=\"none\" stroke=\"{colour}\"/>{bars}\n",
                y + 11.0,
                escaped(&name)
            ),
        );
        y += height + 3.0;
    }
    let (all, tasks) =
        (stages.clone().count(), application.stages.values().map(|stage| stage.tasks.len()).sum::<usize>());
    for (time, why) in &application.lost {
        let at = x(*time);
        add(
            &mut rows,
            format_args!(
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"14\" y2=\"{y:.0}\" stroke=\"var(--bad)\"><title>{}</title></line>\n",
                escaped(why)
            ),
        );
    }
    let left_out = match (all.saturating_sub(STAGES), tasks.saturating_sub(drawn)) {
        (0, 0) => String::new(),
        (stages, tasks) => format!(" ({} and {} are not drawn)", count(stages, "stage"), count(tasks, "task")),
    };
    let lost = match application.lost.len() {
        0 => String::new(),
        lost => format!(", {} lost", count(lost, "executor")),
    };
    add(
        html,
        format_args!(
            "<div class=\"note\">Spark's events of {}: {}, {}{lost}, {:.1} s{left_out}</div>\n\
             <div class=\"drawing\"><svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\">\n{rows}</svg></div>\n",
            escaped(&application.name),
            count(all, "stage"),
            count(tasks, "task"),
            span / 1000.0,
            y + 5.0
        ),
    );
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    #[test]
    fn a_hostile_job_writes_no_markup() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let evil = "</pre><script>alert(1)</script>\u{0}";
        fs::write(root.join("job.log"), evil).unwrap();
        fs::create_dir(root.join("events")).unwrap();
        let lines = [
            serde_json::json!({"Event": "SparkListenerApplicationStart", "App Name": evil, "Timestamp": 10}),
            serde_json::json!({"Event": "SparkListenerTaskEnd", "Stage ID": 0, "Stage Attempt ID": 0, "Task Info":
                {"Launch Time": 30, "Executor ID": evil, "Finish Time": 5, "Failed": true}}),
            serde_json::json!({"Event": "SparkListenerStageCompleted", "Stage Info": {"Stage ID": 0, "Stage Attempt ID": 0,
                "Stage Name": evil, "Submission Time": 20, "Completion Time": 9_000_000_000_000_000_000_u64}}),
            serde_json::json!({"Event": "SparkListenerExecutorRemoved", "Timestamp": 0, "Executor ID": evil,
                "Removed Reason": evil}),
        ];
        fs::write(root.join("events/app"), lines.map(|line| line.to_string()).join("\n")).unwrap();
        let case = Case {
            image: evil.to_owned(),
            again: String::new(),
            digest: None,
            user: evil.to_owned(),
            run: format!("{evil} session"),
            name: evil.to_owned(),
            verdict: Verdict::Failed(evil.to_owned()),
            earlier: Some(evil.to_owned()),
            elapsed: Duration::from_secs(3),
            log: Some("job.log".to_owned()),
        };
        let html = page(&[case], root, |_| root.join("events"));
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains('\0'));
        assert_eq!(html.matches("</pre>").count(), 1);
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(html.contains("1 stage, 1 task, 1 executor lost"), "{html}");
        assert!(html.contains("<details open>"));
        assert!(!html.contains("src=") && !html.contains("href="));
    }
}
