//! Plans, decisions and values, for people.

pub(crate) mod amount;
mod decision;
mod plan;
mod used;
mod value;

pub(crate) use decision::{Depth, decision, decision_data, decision_data_in, decision_in};
pub(crate) use plan::{changes, count_of, differences, plan, problems};
pub(crate) use used::{used, used_data};
pub(crate) use value::{answered, in_a_line, with_marks_named};
