//! `--bwlimit`: bytes wait for their turn, so that all transfers together stay within a rate.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use tokio::time::Instant;

use crate::config::parse_size;
use crate::error::Result;
use crate::pieces::PIECE;

/// Slower, and a single piece would take as long as a stall.
pub(crate) const SLOWEST: u64 = 16 << 10;
/// A connection waits at most about so long for the turn of its next piece, or the server would take it for dead.
const LONGEST_TURN: Duration = Duration::from_secs(4);

/// Of so long a time what was not used may be made up for: timers wake late.
const MADE_UP_FOR: Duration = Duration::from_millis(50);

/// A rate that clones share, in bytes a second, up and down together. Whoever is due later than now waits; what was not
/// used within the last twentieth of a second is lost. Bytes that file systems share or copy by themselves do not count.
#[derive(Clone)]
pub struct Throttle(Arc<Inner>);

struct Inner {
    bytes_per_second: u64,
    /// When the next bytes may go.
    next: Mutex<Option<Instant>>,
}

impl Throttle {
    /// At least 16 KiB a second; less counts as that.
    pub fn new(bytes_per_second: u64) -> Self {
        Throttle(Arc::new(Inner { bytes_per_second: bytes_per_second.max(SLOWEST), next: Mutex::default() }))
    }

    /// The rate in bytes a second.
    pub fn bytes_per_second(&self) -> u64 {
        self.0.bytes_per_second
    }

    /// Connections that can take their turns within [`LONGEST_TURN`].
    pub(crate) fn connections(&self) -> usize {
        let pieces = self.0.bytes_per_second.saturating_mul(LONGEST_TURN.as_secs()) / PIECE as u64;
        usize::try_from(pieces).unwrap_or(usize::MAX).max(1)
    }

    /// Waits for the turn of so many bytes.
    async fn pass(&self, bytes: usize) {
        let turn = self.reserve(bytes, Instant::now());
        tokio::time::sleep_until(turn).await;
    }

    fn reserve(&self, bytes: usize, now: Instant) -> Instant {
        let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(MADE_UP_FOR).unwrap_or(now);
        let turn = next.map_or(now, |next| next.max(earliest));
        *next = Some(turn + Duration::from_secs_f64(bytes as f64 / self.0.bytes_per_second as f64));
        turn
    }

    /// The same pieces, each in its turn.
    pub(crate) fn pace(&self, pieces: BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Bytes>> {
        let throttle = self.clone();
        let in_turn = move |piece: Bytes| {
            let throttle = throttle.clone();
            async move {
                throttle.pass(piece.len()).await;
                Ok(piece)
            }
        };
        pieces.and_then(in_turn).boxed()
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Throttle({} B/s)", self.bytes_per_second())
    }
}

/// A rate such as `100MiB` or `100MiB/s`: bytes a second, at least 16 KiB; units are IEC (powers of 1,024).
///
/// # Errors
/// Why the text is not such a rate.
pub fn parse_rate(text: &str) -> Result<Throttle, String> {
    let size = text.strip_suffix("/s").unwrap_or(text);
    match parse_size(size) {
        Ok(rate) if rate >= SLOWEST => Ok(Throttle::new(rate)),
        Ok(_) => Err(format!("'{text}' is less than 16KiB a second")),
        Err(_) => Err(format!("'{text}' is not a rate; write it like 100MiB or 100MiB/s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use proptest::prelude::*;

    #[tokio::test(start_paused = true)]
    async fn all_together_stay_within_the_rate() {
        let throttle = Throttle::new(1 << 20);
        let start = Instant::now();
        join_all((0..64).map(|_| async {
            for _ in 0..4 {
                throttle.pass(64 << 10).await;
            }
        }))
        .await;
        // 16 MiB, of which the last piece need not wait for its own end.
        let took = start.elapsed().as_secs_f64();
        assert!((15.9..16.1).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_come_as_they_were() {
        let throttle = Throttle::new(100 << 10);
        let pieces = [Ok(Bytes::from_static(b"a")), Err(crate::Error::cancelled()), Ok(Bytes::from_static(b"b"))];
        let paced: Vec<_> = throttle.pace(futures::stream::iter(pieces).boxed()).collect().await;
        assert_eq!(
            paced.iter().map(|piece| piece.as_deref().ok()).collect::<Vec<_>>(),
            [Some(&b"a"[..]), None, Some(b"b")]
        );
    }

    proptest! {
        #[test]
        fn next_to_nothing_is_saved_up(rate in SLOWEST..1 << 32, sizes in proptest::collection::vec((1usize..1 << 18, 0u64..3000), 1..50)) {
            let (throttle, start) = (Throttle::new(rate), Instant::now());
            let (mut now, mut earliest) = (start, start);
            for (bytes, pause) in sizes {
                now += Duration::from_millis(pause);
                let turn = throttle.reserve(bytes, now);
                prop_assert!(turn + MADE_UP_FOR >= now && turn >= earliest);
                earliest = turn + Duration::from_secs_f64(bytes as f64 / rate as f64) - Duration::from_micros(1);
            }
        }
    }

    #[test]
    fn rates() {
        for (text, rate) in [("100MiB", 100 << 20), ("100MiB/s", 100 << 20), ("1 GiB/s", 1 << 30), ("16KiB", 16 << 10)]
        {
            assert_eq!(parse_rate(text).unwrap().bytes_per_second(), rate, "{text}");
        }
        for text in ["", "0", "1KiB", "fast", "/s", "10MiB/m"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
        assert_eq!((Throttle::new(1 << 20).connections(), Throttle::new(0).connections()), (16, 1));
    }
}
