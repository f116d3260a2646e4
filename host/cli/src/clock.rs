//! The clock that the command hands to the engine: the machine's own, and in builds for tests one
//! that begins where the test says.

use std::sync::Arc;

use sluice_engine::ambient::{Ambient, System};

use crate::failure::Failure;

/// The machine's clock and randomness.
#[cfg(not(feature = "test-clock"))]
pub(crate) fn ambient() -> Result<Arc<dyn Ambient>, Failure> {
    Ok(Arc::new(System::default()))
}

/// The machine's randomness and, where `SLUICE_CLOCK` says so, a clock that begins then.
#[cfg(feature = "test-clock")]
pub(crate) fn ambient() -> Result<Arc<dyn Ambient>, Failure> {
    match std::env::var("SLUICE_CLOCK") {
        Err(_) => Ok(Arc::new(System::default())),
        Ok(text) => {
            let began = text.parse().map_err(|_| {
                Failure::usage(format!("SLUICE_CLOCK is `{text}`, which is no time"), "write RFC 3339")
            })?;
            Ok(Arc::new(Supposed { began, system: System::default() }))
        }
    }
}

#[cfg(feature = "test-clock")]
struct Supposed {
    began: jiff::Timestamp,
    system: System,
}

#[cfg(feature = "test-clock")]
impl Ambient for Supposed {
    fn now(&self) -> jiff::Timestamp {
        self.began.checked_add(self.system.elapsed()).unwrap_or(self.began)
    }

    fn elapsed(&self) -> std::time::Duration {
        self.system.elapsed()
    }

    fn random(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        self.system.random(buffer)
    }

    fn pause(&self, at_most: std::time::Duration) {
        self.system.pause(at_most);
    }
}
