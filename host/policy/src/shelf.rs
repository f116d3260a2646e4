//! What threads that ask at the same time have each for themselves, so that nothing wanders from one
//! processor's cache to another's: engines, and what engines run. Rhai counts the users of each text:
//! two threads that counted together decided 1.1 times as much as one (`benches/load.rs`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// As many threads have a shelf alone; more share.
const SHELVES: usize = 8;

thread_local! {
    static SHELF: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % SHELVES
    };
}

/// Things that wait to be used again, each by the threads of one shelf.
pub(crate) struct Idle<T>([Shelf<T>; SHELVES]);

/// A lock that lies in no cache line with another, nor in the one beside it: processors fetch pairs.
#[repr(align(128))]
struct Shelf<T>(Mutex<Vec<T>>);

impl<T> Default for Idle<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Shelf(Mutex::default())))
    }
}

impl<T> Idle<T> {
    fn shelf(&self) -> Option<MutexGuard<'_, Vec<T>>> {
        let shelf = self.0.get(SHELF.with(|shelf| *shelf))?;
        Some(shelf.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One that waits on this thread's shelf.
    pub(crate) fn take(&self) -> Option<T> {
        self.shelf()?.pop()
    }

    /// Puts one on this thread's shelf.
    pub(crate) fn give_back(&self, thing: T) {
        if let Some(mut shelf) = self.shelf() {
            shelf.push(thing);
        }
    }
}

/// A thing of which each shelf has a copy, made when a thread of it first asks.
pub(crate) struct PerShelf<T>([OnceLock<T>; SHELVES]);

impl<T> Default for PerShelf<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

impl<T: Clone> PerShelf<T> {
    /// This thread's copy.
    pub(crate) fn here(&self, make: impl FnOnce() -> T) -> T {
        match self.0.get(SHELF.with(|shelf| *shelf)) {
            Some(copy) => copy.get_or_init(make).clone(),
            None => make(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What a thread of another shelf sees. Tests beside this one take shelves too, so the next thread
    /// may have any.
    fn elsewhere<T: Send>(look: impl Fn() -> T + Sync) -> T {
        let mine = SHELF.with(|shelf| *shelf);
        let look = || (SHELF.with(|shelf| *shelf) != mine).then(&look);
        let looked = |_| std::thread::scope(|scope| scope.spawn(look).join().unwrap());
        (0..1_000).find_map(looked).expect("a thread of another shelf")
    }

    #[test]
    fn threads_have_copies_of_their_own_and_each_is_made_once() {
        let (copies, made) = (PerShelf::default(), AtomicUsize::new(0));
        let here = || copies.here(|| Arc::new(made.fetch_add(1, Ordering::Relaxed)));
        let mine = here();
        assert!(Arc::ptr_eq(&mine, &here()), "the same again");
        assert!(!Arc::ptr_eq(&mine, &elsewhere(here)));
        std::thread::scope(|scope| {
            for _ in 0..10 * SHELVES {
                scope.spawn(|| assert!(Arc::ptr_eq(&here(), &here())));
            }
        });
        assert!(made.load(Ordering::Relaxed) <= SHELVES, "threads beyond share");
        assert!(Arc::ptr_eq(&mine, &here()));
    }

    #[test]
    fn what_one_thread_puts_away_no_other_finds() {
        let idle = Idle::default();
        idle.give_back(1);
        assert_eq!(elsewhere(|| idle.take()), None);
        assert_eq!(idle.take(), Some(1));
        assert_eq!(idle.take(), None);
    }
}
