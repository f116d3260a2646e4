//! Plans, decisions and values, for people.

mod decision;
mod plan;
mod value;

pub(crate) use decision::{Depth, decision, decision_data, decision_data_in, decision_in};
pub(crate) use plan::{count_of, differences, plan, problems};
pub(crate) use value::{in_a_line, with_marks_named};
