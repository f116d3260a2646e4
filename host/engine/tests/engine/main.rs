//! The engine from end to end, on samples written by hand.
#![cfg(test)]
#![allow(unreachable_pub, reason = "the stage is for all modules")]

mod canary;
#[cfg(unix)]
mod crash;
mod evidence;
mod holders;
mod hostile;
mod ledger;
mod lowcoder;
mod model;
mod plugins;
mod stage;
mod story;
