//! Progress: bars on a terminal, plain lines everywhere else.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use store::{Outcome, Progress};

use super::text::{bytes, duration};

/// The place where progress is shown. Everything goes to standard error, so that standard output stays for results.
pub(crate) struct Board {
    bars: Option<MultiProgress>,
}

/// A step that runs.
pub(crate) struct Step<'a> {
    board: &'a Board,
    name: String,
    bar: Option<ProgressBar>,
}

impl Board {
    /// Bars if standard error is a terminal.
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Self { bars: terminal.then(MultiProgress::new) }
    }

    /// Whether there are bars: lines that move.
    pub(crate) fn is_live(&self) -> bool {
        self.bars.is_some()
    }

    /// Says one line above the bars.
    pub(crate) fn say(&self, line: &str) {
        match &self.bars {
            // A line that cannot be shown is no reason to stop a build.
            Some(bars) => drop(bars.println(line)),
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    /// Shows a step that begins now.
    pub(crate) fn step(&self, name: &str, what: &str) -> Step<'_> {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(style("{spinner} {elapsed:>4} {prefix}  {msg}"));
            bar.set_prefix(name.to_owned());
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Step { board: self, name: name.to_owned(), bar }
    }

    /// Shows the download of `files` files, of `total` bytes if that is known.
    pub(crate) fn download(&self, files: usize, total: Option<u64>) -> Download<'_> {
        self.transfer("fetching", files, total)
    }

    /// Shows how `files` files pass, with the word for it: `fetching`, `pushing`.
    pub(crate) fn transfer(&self, doing: &'static str, files: usize, total: Option<u64>) -> Download<'_> {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(total.map_or_else(ProgressBar::no_length, ProgressBar::new));
            bar.set_prefix(doing);
            bar.set_style(style(match total {
                Some(_) => {
                    "{spinner} {elapsed:>4} {prefix} {wide_bar} {decimal_bytes}/{decimal_total_bytes} \
                     {decimal_bytes_per_sec}, {eta} left"
                }
                None => "{spinner} {elapsed:>4} {prefix} {decimal_bytes} {decimal_bytes_per_sec}",
            }));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let now = Instant::now();
        let state = DownloadState { done: 0, files_done: 0, started: now, spoke: now, partial: BTreeMap::new() };
        Download { board: self, doing, bar, files, total, state: Mutex::new(state) }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Step<'_> {
    /// Says what the step does now.
    pub(crate) fn now(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// Ends the step with a line that stays.
    pub(crate) fn end(self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.board.say(&format!("{line:<9} {}", self.name));
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A download of many files.
pub(crate) struct Download<'a> {
    board: &'a Board,
    doing: &'static str,
    bar: Option<ProgressBar>,
    files: usize,
    total: Option<u64>,
    state: Mutex<DownloadState>,
}

struct DownloadState {
    done: u64,
    files_done: usize,
    started: Instant,
    spoke: Instant,
    /// Bytes of files that are under way, so that a file that starts again is not counted twice.
    partial: BTreeMap<String, u64>,
}

impl Download<'_> {
    fn with(&self, change: impl FnOnce(&mut DownloadState)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let now = state.done + state.partial.values().sum::<u64>();
        match &self.bar {
            Some(bar) => bar.set_position(now),
            None if state.spoke.elapsed() >= Duration::from_secs(10) => {
                state.spoke = Instant::now();
                let seconds = state.started.elapsed().as_secs_f64();
                let rate = now as f64 / seconds;
                let left = self.total.map_or_else(String::new, |total| {
                    let seconds = total.saturating_sub(now) as f64 / rate.max(1.0);
                    format!(" of {}, {} left", bytes(total), duration(Duration::from_secs_f64(seconds)))
                });
                let files = format!("{} of {} files", state.files_done, self.files);
                self.board.say(&format!("{}: {files}, {}{left}, {}/s", self.doing, bytes(now), bytes(rate as u64)));
            }
            None => {}
        }
    }
}

impl Progress for Download<'_> {
    fn started(&self, id: &str, _total: Option<u64>) {
        self.with(|state| {
            state.partial.insert(id.to_owned(), 0);
        });
    }

    fn positioned(&self, id: &str, offset: u64) {
        self.with(|state| {
            state.partial.insert(id.to_owned(), offset);
        });
    }

    fn advanced(&self, id: &str, bytes: u64) {
        self.with(|state| *state.partial.entry(id.to_owned()).or_default() += bytes);
    }

    fn retrying(&self, id: &str, reason: &str, wait: Duration) {
        self.board.say(&format!("retry     {id} in {}: {reason}", duration(wait)));
    }

    fn waiting(&self, id: &str, holder: &str) {
        self.board.say(&format!("waiting   {id} is being fetched by {holder}"));
    }

    fn finished(&self, id: &str, _outcome: Outcome<'_>) {
        self.with(|state| {
            state.done += state.partial.remove(id).unwrap_or(0);
            state.files_done += 1;
        });
    }
}

impl Drop for Download<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
