//! When and how long to wait before another attempt. Only what [`HttpError::is_transient`] is ever tried again.
//!
//! [`HttpError::is_transient`]: crate::HttpError::is_transient

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::error::HttpError;

/// How often and how patiently a request is repeated.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Further attempts after the first one. Bytes that were gained set the count back, so a large file may come over
    /// a bad line in many pieces.
    pub retries: u32,
    /// The wait before the second attempt. It doubles each time, with a jitter of a quarter both ways.
    pub first_wait: Duration,
    /// No wait is longer. A server that asks for more (`Retry-After`) is left.
    pub longest_wait: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { retries: 4, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(60) }
    }
}

impl Retry {
    /// How long to wait after `error`, which was failure number `failures` (from 1) in a row; nothing to give up.
    pub(crate) fn wait_after(&self, error: &HttpError, failures: u32) -> Option<Duration> {
        if !error.is_transient() || failures > self.retries {
            return None;
        }
        match error {
            HttpError::Status { retry_after: Some(asked), .. } if *asked > self.longest_wait => None,
            HttpError::Status { retry_after: Some(asked), .. } => Some(*asked),
            _ => {
                let doubled = self.first_wait.saturating_mul(1 << failures.saturating_sub(1).min(16));
                Some(doubled.mul_f64(0.75 + 0.5 * random_fraction()).min(self.longest_wait))
            }
        }
    }
}

/// Something in 0..1, so that many machines that failed together do not come back together. The hasher's keys are the
/// randomness of the standard library.
fn random_fraction() -> f64 {
    f64::from(RandomState::new().hash_one(0) as u32) / f64::from(u32::MAX)
}

/// Waits, unless `cancel` is set before or meanwhile: then it returns false at once.
pub(crate) fn wait(duration: Duration, cancel: &AtomicBool) -> bool {
    const TICK: Duration = Duration::from_millis(50);
    let end = Instant::now() + duration;
    loop {
        if cancel.load(Ordering::Relaxed) {
            return false;
        }
        match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => thread::sleep(left.min(TICK)),
            _ => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry { retries: 3, first_wait: Duration::from_secs(1), longest_wait: Duration::from_secs(3) };

    fn status(status: u16, retry_after: Option<u64>) -> HttpError {
        HttpError::Status { url: String::new(), status, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let seconds = |failures| RETRY.wait_after(&status(503, None), failures).map(|wait| wait.as_secs_f64());
        assert!((0.75..=1.25).contains(&seconds(1).unwrap()));
        assert!((1.5..=2.5).contains(&seconds(2).unwrap()));
        assert_eq!(seconds(3), Some(3.0));
        assert_eq!(seconds(4), None);
    }

    #[test]
    fn the_server_is_obeyed_within_bounds() {
        assert_eq!(RETRY.wait_after(&status(429, Some(2)), 1), Some(Duration::from_secs(2)));
        assert_eq!(RETRY.wait_after(&status(429, Some(4)), 1), None);
    }

    #[test]
    fn only_the_transient_is_repeated() {
        for code in [408, 429, 500, 502, 503, 504] {
            assert!(RETRY.wait_after(&status(code, None), 1).is_some(), "{code}");
        }
        for code in [400, 401, 403, 404, 407, 410, 416] {
            assert!(RETRY.wait_after(&status(code, None), 1).is_none(), "{code}");
        }
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        assert!(!wait(Duration::from_secs(3600), &AtomicBool::new(true)));
        assert!(wait(Duration::ZERO, &AtomicBool::new(false)));
    }
}
