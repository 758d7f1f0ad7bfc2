//! Several requests to an index at once.

use std::{
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// How many requests are made at once. An index takes tens of milliseconds for each; more than this is impolite.
const THREADS: usize = 8;

/// What `work` makes of each item, in the order of the items, or the first error in that order.
pub(super) fn parallel<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        while let Some((at, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
        {
            done.push((at, work(item)));
        }
        done
    };
    let mut done: Vec<(usize, Result<R, E>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS.min(items.len())).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_wins() {
        let items: Vec<u32> = (0..100).collect();
        assert_eq!(parallel(&items, |n| Ok::<_, ()>(n * 2)).unwrap(), (0..100).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(parallel(&items, |n| if n % 30 == 29 { Err(*n) } else { Ok(()) }), Err(29));
        assert_eq!(parallel(&[], |_: &u32| Ok::<u32, ()>(1)), Ok(vec![]));
    }
}
