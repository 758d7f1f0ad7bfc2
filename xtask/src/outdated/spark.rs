//! What everything stands on: newer patch releases of each Spark line, and the release of Debian.

use ::python::{
    Version,
    resolve::{Index as _, Releases, releases},
};
use anyhow::{Context as _, Result};

use super::{Row, State, Survey};
use crate::resolve;

pub(super) fn rows(survey: &Survey<'_>) -> Vec<Row> {
    let wanted = |name| survey.names.is_empty() || survey.is_named(name);
    let mut rows = if wanted("spark") { sparks(survey) } else { Vec::new() };
    rows.extend(wanted("debian").then(|| debian(survey)).flatten());
    rows
}

fn sparks(survey: &Survey<'_>) -> Vec<Row> {
    let table = &survey.catalog.table;
    let known = known(survey);
    let row = |version: &str, line: &str| {
        let mut row = Row::new("spark", format!("spark {line}"), version.to_owned());
        let current: Option<Version> = version.parse().ok();
        match (&known, current) {
            (Ok(all), Some(current)) => {
                let of_line = |next: &&Version| next.to_string().starts_with(&format!("{line}."));
                let newest = all.iter().filter(of_line).filter(|next| **next > current).max();
                let Some(newest) = newest.map(ToString::to_string) else {
                    row.newest = Some(version.to_owned());
                    return row;
                };
                row.newest = Some(newest.clone());
                match table.unsupported.get(&newest) {
                    Some(unsupported) => {
                        (row.state, row.why) = (State::Held, Some(unsupported.reason.clone()));
                        row.take = format!("to try it: cargo xtask add-version {newest}");
                    }
                    None => {
                        (row.state, row.takes) = (State::Newer, Some(newest.clone()));
                        row.take = format!("cargo xtask add-version {newest}");
                    }
                }
            }
            (Err(error), _) => (row.state, row.why) = (State::Unknown, Some(format!("{error:#}"))),
            (_, None) => row.state = State::Unknown,
        }
        row
    };
    table.sparks.values().map(|spark| row(&spark.version, &spark.line)).collect()
}

/// The versions of the source distribution on the index.
fn known(survey: &Survey<'_>) -> Result<Vec<Version>> {
    let table = &survey.catalog.table;
    let target = resolve::python::target(&table.debian.python, &table.debian.glibc, table.default_platform())?;
    let name = "pyspark".parse()?;
    survey.index.project_page(&name).map_err(|error| anyhow::anyhow!("{error}"))?.context("no index has pyspark")?;
    let Releases { usable, unusable } = releases(&survey.index, &name, &target)?.unwrap_or_default();
    Ok(usable.into_iter().chain(unusable.into_keys()).collect())
}

/// Debian's stable release, where the table's suites are of another one.
fn debian(survey: &Survey<'_>) -> Option<Row> {
    let suite = survey.catalog.table.debian.suites.first()?;
    if survey.machine.registries.debian.is_empty() {
        return None;
    }
    let mut row = Row::new("debian", "debian".to_owned(), suite.clone());
    match resolve::debian::stable(survey.workspace, survey.machine) {
        Ok(Some(stable)) if stable == *suite => row.newest = Some(stable),
        Ok(Some(stable)) => {
            row.newest = Some(stable);
            row.state = State::Held;
            let held = survey.catalog.table.held.get("debian").map(|held| held.reason.clone());
            row.why = held.or_else(|| {
                Some("another release has another Python, C library and Java: it is no update of packages".to_owned())
            });
            row.take = "docker/versions.toml: [debian] suites, python and glibc".to_owned();
        }
        Ok(None) => (row.state, row.why) = (State::Unknown, Some("no archive has the suite `stable`".to_owned())),
        Err(error) => (row.state, row.why) = (State::Unknown, Some(format!("{error:#}"))),
    }
    Some(row)
}
