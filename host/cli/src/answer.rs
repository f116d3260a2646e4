//! What a command answers, and the exit codes.

use serde::Serialize;
use serde_json::Value;
use sluice_engine::Class;
use sluice_policy::Decision;

use crate::failure::Failure;
use crate::page::Page;
use crate::report::Subject;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or allowed.
    Done,
    /// Something broke or is not there.
    Failed,
    /// The command was not understood, or names what is not there.
    Usage,
    /// A rule refuses.
    Denied,
    /// The person may not do that.
    NotPermitted,
    /// It waits for a person or a time.
    Pending,
}

impl Exit {
    /// The process's exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::NotPermitted => 4,
            Self::Pending => 5,
        }
    }

    /// The name in JSON.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Denied => "denied",
            Self::NotPermitted => "not-permitted",
            Self::Pending => "pending",
        }
    }
}

impl From<Class> for Exit {
    fn from(class: Class) -> Self {
        match class {
            Class::Failed => Self::Failed,
            Class::Usage => Self::Usage,
            Class::Denied => Self::Denied,
            Class::NotPermitted => Self::NotPermitted,
            Class::Pending => Self::Pending,
        }
    }
}

/// What a command answers.
#[derive(Debug)]
pub(crate) struct Answer {
    /// For `--output json`.
    pub(crate) data: Value,
    /// For people.
    pub(crate) page: Page,
    /// What to do next; talk for people.
    pub(crate) hints: Vec<String>,
    /// What reports for CI systems are made of, where a decision was asked for.
    pub(crate) decided: Option<Box<(Subject, Decision)>>,
    /// How the command ends.
    pub(crate) exit: Exit,
}

impl Answer {
    /// An answer that is done.
    pub(crate) fn new(data: &(impl Serialize + ?Sized), page: Page) -> Result<Self, Failure> {
        Ok(Self {
            data: serde_json::to_value(data)?,
            page,
            hints: Vec::new(),
            decided: None,
            exit: Exit::Done,
        })
    }

    /// With something to do next.
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// With what reports are made of.
    pub(crate) fn decided(mut self, subject: Subject, decision: Decision) -> Self {
        self.decided = Some(Box::new((subject, decision)));
        self
    }

    /// Ending otherwise.
    pub(crate) const fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}
