//! Who runs now: places of the pool and processors are shared out among plugins, so that none has all.
//!
//! A call begins when it may have one of each, and gives its processor back while it only waits.
//! Whoever has to wait is served when it is the turn of its plugin: of the plugins that may have
//! what they wait for, the one that was served longest ago. So many calls of one plugin do not stand
//! before the one of another.
//!
//! There is one queue, so that each call is woken once: a thread that wakes in order to wait again
//! takes a processor from one that computes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

/// Places and processors, of which each is held by one call at a time.
pub(crate) struct Turns {
    queue: Mutex<Queue>,
    /// Whether anybody waits; only a hint, for [`Turn::is_wanted`].
    is_awaited: AtomicBool,
}

/// So many of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) places: u32,
    pub(crate) processors: u32,
}

/// What a call needs in order to begin, and to go on after it has waited.
const TO_BEGIN: Count = Count { places: 1, processors: 1 };
const TO_GO_ON: Count = Count { places: 0, processors: 1 };

struct Queue {
    free: Count,
    waiting: VecDeque<Arc<Waiting>>,
    /// How often somebody was served: what says who was served longest ago.
    served: u64,
}

struct Waiting {
    share: Arc<Share>,
    wanted: Count,
    is_served: AtomicBool,
    thread: Thread,
}

/// What one plugin may hold at a time. The numbers change only while the queue is locked.
pub(crate) struct Share {
    most: Count,
    places: AtomicU32,
    processors: AtomicU32,
    served: AtomicU64,
}

/// What a call holds; given back when dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    share: Arc<Share>,
    held: Count,
}

impl Count {
    /// At most so many, and one at least: without a place or a processor nothing ever runs.
    fn usable(self) -> Self {
        Self { places: self.places.max(1), processors: self.processors.max(1) }
    }

    const fn covers(self, wanted: Self) -> bool {
        self.places >= wanted.places && self.processors >= wanted.processors
    }

    const fn add(&mut self, more: Self) {
        self.places += more.places;
        self.processors += more.processors;
    }

    const fn subtract(&mut self, less: Self) {
        self.places -= less.places;
        self.processors -= less.processors;
    }
}

impl Share {
    /// At most so many of each at a time, and one at least.
    pub(crate) fn new(most: Count) -> Arc<Self> {
        Arc::new(Self {
            most: most.usable(),
            places: AtomicU32::new(0),
            processors: AtomicU32::new(0),
            served: AtomicU64::new(0),
        })
    }

    fn held(&self) -> Count {
        Count {
            places: self.places.load(Ordering::Relaxed),
            processors: self.processors.load(Ordering::Relaxed),
        }
    }

    fn hold(&self, held: Count) {
        self.places.store(held.places, Ordering::Relaxed);
        self.processors.store(held.processors, Ordering::Relaxed);
    }

    fn has_room(&self, wanted: Count) -> bool {
        let mut held = self.held();
        held.add(wanted);
        self.most.covers(held)
    }
}

impl Turns {
    pub(crate) fn new(count: Count) -> Arc<Self> {
        let queue = Queue { free: count.usable(), waiting: VecDeque::new(), served: 0 };
        Arc::new(Self { queue: Mutex::new(queue), is_awaited: AtomicBool::new(false) })
    }

    /// Waits until a call of this share may begin.
    pub(crate) fn begin(self: &Arc<Self>, share: &Arc<Share>) -> Turn {
        self.take(share, TO_BEGIN);
        Turn { turns: self.clone(), share: share.clone(), held: TO_BEGIN }
    }

    fn take(&self, share: &Arc<Share>, wanted: Count) {
        let mut queue = self.lock();
        // Where there is what it wants, nobody waits who may have it.
        if queue.has(share, wanted) {
            queue.serve(share, wanted);
            return;
        }
        let (is_served, thread) = (AtomicBool::new(false), thread::current());
        let me = Arc::new(Waiting { share: share.clone(), wanted, is_served, thread });
        queue.waiting.push_back(me.clone());
        self.is_awaited.store(true, Ordering::Relaxed);
        drop(queue);
        while !me.is_served.load(Ordering::Acquire) {
            thread::park();
        }
    }

    fn give_back(&self, share: &Share, held: Count) {
        let mut queue = self.lock();
        queue.free.add(held);
        let mut left = share.held();
        left.subtract(held);
        share.hold(left);
        let mut next = Vec::new();
        while let Some(waiting) = queue.next().and_then(|index| queue.waiting.remove(index)) {
            queue.serve(&waiting.share, waiting.wanted);
            next.push(waiting);
        }
        self.is_awaited.store(!queue.waiting.is_empty(), Ordering::Relaxed);
        // Who is woken asks for the queue soon.
        drop(queue);
        for waiting in next {
            waiting.is_served.store(true, Ordering::Release);
            waiting.thread.unpark();
        }
    }

    /// The numbers are right even if a holder panicked: nothing in between can.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn has(&self, share: &Share, wanted: Count) -> bool {
        self.free.covers(wanted) && share.has_room(wanted)
    }

    fn serve(&mut self, share: &Share, wanted: Count) {
        self.free.subtract(wanted);
        self.served += 1;
        let mut held = share.held();
        held.add(wanted);
        share.hold(held);
        share.served.store(self.served, Ordering::Relaxed);
    }

    /// The place in the queue of whoever is next.
    fn next(&self) -> Option<usize> {
        let waiting = self.waiting.iter().enumerate();
        let may = waiting.filter(|(_, waiting)| self.has(&waiting.share, waiting.wanted));
        may.min_by_key(|(_, waiting)| waiting.share.served.load(Ordering::Relaxed)).map(|(index, _)| index)
    }
}

impl Turn {
    /// Gives its processor back.
    pub(crate) fn pause(&mut self) {
        self.turns.give_back(&self.share, TO_GO_ON);
        self.held.subtract(TO_GO_ON);
    }

    /// Waits for a processor again.
    pub(crate) fn go_on(&mut self) {
        self.turns.take(&self.share, TO_GO_ON);
        self.held.add(TO_GO_ON);
    }

    /// Whether another plugin's call waits for its processor.
    pub(crate) fn is_wanted(&self) -> bool {
        self.turns.is_awaited.load(Ordering::Relaxed) && {
            let queue = self.turns.lock();
            let mut free = queue.free;
            free.add(TO_GO_ON);
            queue.waiting.iter().any(|other| {
                !Arc::ptr_eq(&other.share, &self.share)
                    && free.covers(other.wanted)
                    && other.share.has_room(other.wanted)
            })
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.give_back(&self.share, self.held);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn each(count: u32) -> Count {
        Count { places: count, processors: count }
    }

    /// Waits until so many wait.
    fn until_waiting(turns: &Turns, count: usize) {
        while turns.lock().waiting.len() < count {
            thread::yield_now();
        }
    }

    #[test]
    fn no_share_has_all() {
        let turns = Turns::new(each(4));
        let (greedy, other) = (Share::new(each(2)), Share::new(each(2)));
        let held = [turns.begin(&greedy), turns.begin(&greedy)];
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let turn = turns.begin(&greedy);
                tell.send(()).unwrap();
                drop(turn);
            });
            until_waiting(&turns, 1);
            // Another has what is left, at once.
            let of_other = [turns.begin(&other), turns.begin(&other)];
            assert!(told.try_recv().is_err());
            assert!(!held[0].is_wanted(), "one's own call is no other's");
            drop(of_other);
            assert!(told.try_recv().is_err());
            drop(held);
            told.recv().unwrap();
        });
        assert_eq!(turns.lock().free, each(4));
    }

    #[test]
    fn the_share_that_was_served_longest_ago_is_next() {
        let turns = Turns::new(Count { places: 8, processors: 1 });
        let (many, few) = (Share::new(each(1)), Share::new(each(1)));
        let first = turns.begin(&many);
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            for (count, (name, share)) in
                [("many", &many), ("many", &many), ("many", &many), ("few", &few)].into_iter().enumerate()
            {
                let (tell, turns) = (tell.clone(), &turns);
                scope.spawn(move || {
                    let turn = turns.begin(share);
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

    #[test]
    fn who_waits_outside_keeps_its_place_and_lends_its_processor() {
        let turns = Turns::new(Count { places: 2, processors: 1 });
        let (one, other, third) = (Share::new(each(2)), Share::new(each(2)), Share::new(each(2)));
        let mut waits = turns.begin(&one);
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            let begun = |name, share| {
                let (tell, turns) = (tell.clone(), &turns);
                scope.spawn(move || tell.send((name, turns.begin(share))).unwrap());
            };
            begun("other", &other);
            until_waiting(&turns, 1);
            assert!(waits.is_wanted());
            waits.pause();
            let (name, of_other) = told.recv().unwrap();
            assert_eq!(name, "other");
            begun("third", &third);
            until_waiting(&turns, 1);
            assert!(!of_other.is_wanted(), "both places are taken");
            let goes_on = scope.spawn(|| {
                waits.go_on();
                waits
            });
            until_waiting(&turns, 2);
            assert!(of_other.is_wanted());
            // The third was never served, so it comes first.
            drop(of_other);
            let (name, third) = told.recv().unwrap();
            assert_eq!(name, "third");
            assert!(third.is_wanted());
            drop(third);
            assert_eq!(goes_on.join().unwrap().held, TO_BEGIN);
        });
        assert_eq!(turns.lock().free, Count { places: 2, processors: 1 });
    }
}
