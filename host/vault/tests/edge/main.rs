//! The edge against servers on loopback, which answer as servers do and as they should not.
#![cfg(test)]

mod hostile;
mod http;
mod outside;
mod tls;
