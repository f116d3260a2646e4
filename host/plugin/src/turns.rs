//! Who runs now: what there is of something is shared out among plugins, so that none has all.
//!
//! One [`Turns`] shares out the places of the pool, another the processors. Whoever has to wait is
//! served when it is the turn of its plugin: of the plugins that may have one more, the one that
//! was served longest ago. So many calls of one plugin do not stand before the one of another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A number of equal things, of which each is held by one call at a time.
pub(crate) struct Turns {
    queue: Mutex<Queue>,
    /// Whether anybody waits; only a hint, for [`Turn::is_wanted`].
    is_awaited: AtomicBool,
}

struct Queue {
    free: u32,
    waiting: VecDeque<Arc<Waiting>>,
    /// How often somebody was served: what says who was served longest ago.
    served: u64,
}

struct Waiting {
    share: Arc<Share>,
    is_served: AtomicBool,
    served: Condvar,
}

/// What one plugin may hold at a time. The numbers change only while the queue is locked.
pub(crate) struct Share {
    most: u32,
    held: AtomicU32,
    served: AtomicU64,
}

/// One of the things; given back when dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    share: Arc<Share>,
}

impl Share {
    /// At most so many at a time, and one at least.
    pub(crate) fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), held: AtomicU32::new(0), served: AtomicU64::new(0) })
    }

    fn has_room(&self) -> bool {
        self.held.load(Ordering::Relaxed) < self.most
    }
}

impl Turns {
    pub(crate) fn new(count: u32) -> Arc<Self> {
        let queue = Queue { free: count.max(1), waiting: VecDeque::new(), served: 0 };
        Arc::new(Self { queue: Mutex::new(queue), is_awaited: AtomicBool::new(false) })
    }

    /// Waits until it is this share's turn.
    pub(crate) fn take(self: &Arc<Self>, share: &Arc<Share>) -> Turn {
        let mut queue = self.lock();
        // Where something is free, nobody waits who may have it.
        if queue.free > 0 && share.has_room() {
            queue.serve(share);
        } else {
            let me = Arc::new(Waiting {
                share: share.clone(),
                is_served: AtomicBool::new(false),
                served: Condvar::new(),
            });
            queue.waiting.push_back(me.clone());
            self.is_awaited.store(true, Ordering::Relaxed);
            while !me.is_served.load(Ordering::Relaxed) {
                queue = me.served.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
        drop(queue);
        Turn { turns: self.clone(), share: share.clone() }
    }

    /// The numbers are right even if a holder panicked: none is changed in two steps.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn serve(&mut self, share: &Share) {
        self.free -= 1;
        self.served += 1;
        share.held.fetch_add(1, Ordering::Relaxed);
        share.served.store(self.served, Ordering::Relaxed);
    }

    /// The place in the queue of whoever is next.
    fn next(&self) -> Option<usize> {
        let may = self.waiting.iter().enumerate().filter(|(_, waiting)| waiting.share.has_room());
        may.min_by_key(|(_, waiting)| waiting.share.served.load(Ordering::Relaxed)).map(|(index, _)| index)
    }
}

impl Turn {
    /// Whether another plugin's call waits for it.
    pub(crate) fn is_wanted(&self) -> bool {
        self.turns.is_awaited.load(Ordering::Relaxed) && {
            let queue = self.turns.lock();
            queue
                .waiting
                .iter()
                .any(|other| !Arc::ptr_eq(&other.share, &self.share) && other.share.has_room())
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queue = self.turns.lock();
        queue.free += 1;
        self.share.held.fetch_sub(1, Ordering::Relaxed);
        if let Some(next) = queue.next().and_then(|index| queue.waiting.remove(index)) {
            queue.serve(&next.share);
            next.is_served.store(true, Ordering::Relaxed);
            next.served.notify_one();
        }
        self.turns.is_awaited.store(!queue.waiting.is_empty(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Waits until so many wait.
    fn until_waiting(turns: &Turns, count: usize) {
        while turns.lock().waiting.len() < count {
            thread::yield_now();
        }
    }

    #[test]
    fn no_share_has_all() {
        let turns = Turns::new(4);
        let (greedy, other) = (Share::new(2), Share::new(2));
        let held = [turns.take(&greedy), turns.take(&greedy)];
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let turn = turns.take(&greedy);
                tell.send(()).unwrap();
                drop(turn);
            });
            until_waiting(&turns, 1);
            // Another has what is left, at once.
            let of_other = [turns.take(&other), turns.take(&other)];
            assert!(told.try_recv().is_err());
            assert!(!held[0].is_wanted(), "one's own call is no other's");
            drop(of_other);
            assert!(told.try_recv().is_err());
            drop(held);
            told.recv().unwrap();
        });
        assert_eq!(turns.lock().free, 4);
    }

    #[test]
    fn the_share_that_was_served_longest_ago_is_next() {
        let turns = Turns::new(1);
        let (many, few) = (Share::new(1), Share::new(1));
        let first = turns.take(&many);
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            for (count, (name, share)) in
                [("many", &many), ("many", &many), ("many", &many), ("few", &few)].into_iter().enumerate()
            {
                let (tell, turns) = (tell.clone(), &turns);
                scope.spawn(move || {
                    let turn = turns.take(share);
                    tell.send(name).unwrap();
                    drop(turn);
                });
                until_waiting(turns, count + 1);
            }
            assert!(first.is_wanted());
            drop(first);
        });
        drop(tell);
        assert_eq!(told.into_iter().collect::<Vec<_>>(), ["few", "many", "many", "many"]);
    }
}
