//! The commands, one module for each noun.

pub(crate) mod binding;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod consent;
pub(crate) mod constant;
pub(crate) mod evidence;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod ledger;
pub(crate) mod manage;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod policy;
pub(crate) mod promote;
pub(crate) mod review;
pub(crate) mod secret;
pub(crate) mod shell;
pub(crate) mod status;
pub(crate) mod version;
