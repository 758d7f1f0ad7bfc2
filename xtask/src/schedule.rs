//! A ready-queue over a graph: a task starts when all it needs is done. No batches, no barriers.
//!
//! A failed task fails what stands on it, with the cause, and nothing beside it.

use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Error, Result};

/// How a task ended.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    /// It did its work.
    Done(T),
    /// It failed.
    Failed(Error),
    /// It never started, because this task failed.
    Skipped { because: usize },
    /// It never started, because the run was interrupted.
    Cancelled,
}

/// How many tasks run at once if nobody says: as many as there are processors.
pub(crate) fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// What tasks take of something that is scarce, and how much of it there is.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    /// Of each task, by its number; nothing of those that are not named.
    pub(crate) of: Vec<u64>,
    /// What all that run at once may take. A task that is heavier runs alone.
    pub(crate) most: u64,
}

struct State<T> {
    taken: u64,
    running: usize,
    ready: BTreeSet<usize>,
    missing: Vec<usize>,
    outcomes: Vec<Option<Outcome<T>>>,
}

/// Runs the tasks `0..needs.len()`, of which task `i` needs those in `needs[i]`; at most `jobs` at once.
///
/// Among tasks that are ready the one with the lowest number starts first. Once `cancel` is set nothing starts any more.
pub(crate) fn run<T: Send>(
    needs: &[Vec<usize>],
    jobs: NonZeroUsize,
    cancel: &AtomicBool,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Vec<Outcome<T>> {
    run_weighed(needs, jobs, &Weights::default(), cancel, work)
}

/// As [`run`]; and of the tasks that are ready only what fits beside those that run is started.
pub(crate) fn run_weighed<T: Send>(
    needs: &[Vec<usize>],
    jobs: NonZeroUsize,
    weights: &Weights,
    cancel: &AtomicBool,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Vec<Outcome<T>> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (task, needed) in needs.iter().enumerate() {
        needed.iter().for_each(|&parent| children[parent].push(task));
    }
    let missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    let state = Mutex::new(State {
        taken: 0,
        running: 0,
        ready: (0..needs.len()).filter(|&task| missing[task] == 0).collect(),
        missing,
        outcomes: (0..needs.len()).map(|_| None).collect(),
    });
    let changed = Condvar::new();
    thread::scope(|scope| {
        for _ in 0..jobs.get().min(needs.len()) {
            scope.spawn(|| {
                while let Some(task) = next(&state, &changed, weights, cancel) {
                    let result = work(task);
                    let mut state = lock(&state);
                    state.running -= 1;
                    state.taken -= weights.weight(task);
                    match result {
                        Ok(value) => {
                            state.outcomes[task] = Some(Outcome::Done(value));
                            for &child in &children[task] {
                                state.missing[child] -= 1;
                                if state.missing[child] == 0 && state.outcomes[child].is_none() {
                                    state.ready.insert(child);
                                }
                            }
                        }
                        Err(error) => {
                            state.outcomes[task] = Some(Outcome::Failed(error));
                            skip(&mut state, &children, task);
                        }
                    }
                    changed.notify_all();
                }
            });
        }
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Cancelled)).collect()
}

impl Weights {
    fn weight(&self, task: usize) -> u64 {
        self.of.get(task).copied().unwrap_or(0)
    }
}

fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next task to run; nothing when all is done, or when nothing may start any more.
fn next<T>(state: &Mutex<State<T>>, changed: &Condvar, weights: &Weights, cancel: &AtomicBool) -> Option<usize> {
    let mut state = lock(state);
    loop {
        if cancel.load(Ordering::Relaxed) {
            changed.notify_all();
            return None;
        }
        let fits = |task: usize| state.running == 0 || state.taken + weights.weight(task) <= weights.most;
        if let Some(task) = state.ready.iter().copied().find(|&task| fits(task)) {
            state.ready.remove(&task);
            state.running += 1;
            state.taken += weights.weight(task);
            return Some(task);
        }
        // What is neither done nor ready waits for a task that runs; without one the graph is finished.
        let waits = state.outcomes.iter().any(Option::is_none);
        if !waits {
            return None;
        }
        state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

fn skip<T>(state: &mut State<T>, children: &[Vec<usize>], failed: usize) {
    let mut stack = vec![failed];
    while let Some(task) = stack.pop() {
        for &child in &children[task] {
            if state.outcomes[child].is_none() {
                state.outcomes[child] = Some(Outcome::Skipped { because: failed });
                stack.push(child);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn jobs(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    /// One letter for each outcome.
    fn letters(outcomes: &[Outcome<usize>]) -> String {
        let letter = |outcome: &Outcome<usize>| match outcome {
            Outcome::Done(_) => 'd',
            Outcome::Failed(_) => 'f',
            Outcome::Skipped { .. } => 's',
            Outcome::Cancelled => 'c',
        };
        outcomes.iter().map(letter).collect()
    }

    #[test]
    fn parents_come_first_whatever_the_number_of_jobs() {
        let needs = vec![vec![], vec![0], vec![0], vec![1, 2], vec![]];
        for n in 1..5 {
            let order = Mutex::new(Vec::new());
            let outcomes = run(&needs, jobs(n), &AtomicBool::new(false), |task| {
                order.lock().unwrap().push(task);
                Ok(task)
            });
            assert_eq!(letters(&outcomes), "ddddd");
            let order = order.into_inner().unwrap();
            let place = |task| order.iter().position(|&done| done == task).unwrap();
            for (task, needed) in needs.iter().enumerate() {
                assert!(needed.iter().all(|&parent| place(parent) < place(task)), "{order:?}");
            }
        }
    }

    #[test]
    fn a_failure_reaches_what_stands_on_it_and_nothing_else() {
        let needs = vec![vec![], vec![0], vec![1], vec![0], vec![3]];
        let outcomes = run(&needs, jobs(2), &AtomicBool::new(false), |task| match task {
            1 => Err(anyhow::anyhow!("no")),
            _ => Ok(task),
        });
        assert_eq!(letters(&outcomes), "dfsdd");
        assert!(matches!(outcomes[2], Outcome::Skipped { because: 1 }));
    }

    #[test]
    fn what_does_not_fit_waits_and_lighter_tasks_pass_it() {
        let weights = Weights { of: vec![2, 3, 9, 1], most: 3 };
        let (taken, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let order = Mutex::new(Vec::new());
        let outcomes = run_weighed(&vec![vec![]; 4], jobs(4), &weights, &AtomicBool::new(false), |task| {
            order.lock().unwrap().push(task);
            let weight = weights.of[task] as usize;
            let now = taken.fetch_add(weight, Ordering::SeqCst) + weight;
            // The heaviest fits nowhere, and is alone.
            most.fetch_max(if task == 2 { now - 6 } else { now }, Ordering::SeqCst);
            if task == 0 {
                // Until the lightest is there, beside this one.
                while !order.lock().unwrap().contains(&3) {
                    thread::yield_now();
                }
            }
            taken.fetch_sub(weight, Ordering::SeqCst);
            Ok(task)
        });
        assert_eq!(letters(&outcomes), "dddd");
        assert_eq!(most.into_inner(), 3);
        assert_eq!(order.into_inner().unwrap()[..2], [0, 3]);
    }

    #[test]
    fn after_a_cancel_nothing_starts() {
        let cancel = AtomicBool::new(false);
        let started = AtomicUsize::new(0);
        let needs = vec![vec![], vec![0], vec![1]];
        let outcomes = run(&needs, jobs(4), &cancel, |task| {
            started.fetch_add(1, Ordering::Relaxed);
            cancel.store(true, Ordering::Relaxed);
            Ok(task)
        });
        assert_eq!((started.into_inner(), letters(&outcomes).as_str()), (1, "dcc"));
    }
}
