//! The engine from end to end, on samples written by hand.
#![cfg(test)]
#![allow(unreachable_pub, reason = "the stage is for all modules")]

mod adopting;
mod authors;
mod break_glass;
mod canary;
mod candidates;
mod choices;
mod consent;
mod corpus;
#[cfg(unix)]
mod crash;
mod damage;
mod deep;
mod evidence;
mod facts;
mod gates;
mod history;
mod holders;
mod hostile;
mod importing;
mod judging;
mod lacking;
mod large;
mod ledger;
mod lowcoder;
mod making;
mod model;
mod plugins;
mod probes;
mod reasons;
mod rotating;
mod slow;
mod stage;
mod story;
mod suspicions;
mod taking_back;
mod trust;
mod unsure;
mod written;
