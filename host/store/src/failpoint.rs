//! Named steps at which a crash test kills the process, without a word to anybody.

/// Marks a step. Does nothing unless the crate is built with the feature `failpoints` and the variable
/// `SLUICE_FAILPOINT` says `NAME:N`: then the N-th passing of the step NAME kills this process with
/// SIGKILL. `*:N` counts the steps of every name, so that a test can go through them one by one.
#[inline]
pub fn failpoint(name: &str) {
    #[cfg(feature = "failpoints")]
    armed::pass(name);
    #[cfg(not(feature = "failpoints"))]
    let _ = name;
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Armed {
        name: String,
        at: u64,
        passed: AtomicU64,
    }

    fn armed() -> Option<&'static Armed> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        ARMED.get_or_init(|| parse(&std::env::var("SLUICE_FAILPOINT").ok()?)).as_ref()
    }

    fn parse(text: &str) -> Option<Armed> {
        let (name, at) = text.rsplit_once(':')?;
        Some(Armed { name: name.to_owned(), at: at.parse().ok()?, passed: AtomicU64::new(0) })
    }

    pub(super) fn pass(name: &str) {
        if let Some(armed) = armed()
            && (armed.name == "*" || armed.name == name)
            && armed.passed.fetch_add(1, Ordering::SeqCst).saturating_add(1) == armed.at
        {
            kill();
        }
    }

    /// No destructor runs and no buffer is flushed, as when the machine stops.
    fn kill() -> ! {
        #[cfg(unix)]
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn reads_what_the_variable_says() {
            for (text, expected) in [
                ("store.commit:3", Some(("store.commit", 3))),
                ("*:1", Some(("*", 1))),
                ("store.commit", None),
                ("x:y", None),
            ] {
                let read = parse(text);
                assert_eq!(read.as_ref().map(|a| (a.name.as_str(), a.at)), expected, "{text}");
            }
        }
    }
}
