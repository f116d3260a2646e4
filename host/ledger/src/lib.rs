//! Tamper-evident log, checkpoints and signed statements
