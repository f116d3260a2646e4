//! Scenes of what a plan and an export say.

use crate::mistakes::{DENIED, DONE, GATES, edit, ends, scene};
use crate::steps;

#[test]
fn a_plan_names_what_was_chosen_and_whose_values_are_left() {
    let select = "SELECT id, customer, status, note FROM orders";
    let left = "SELECT 'orders-db.dev.example.com', id, customer, status, note FROM orders";
    scene(
        "choices",
        steps::before(GATES),
        &[
            edit("orders.json", select, left),
            ends(DONE, "import development orders.json"),
            ends(DONE, "version cut Orders 1.1"),
            ends(DENIED, "plan Orders --to staging --choose saveButton=skip --choose listOrders=create"),
        ],
    );
}

#[test]
fn an_export_tells_programs_the_values_that_it_tells_people() {
    scene(
        "export-json",
        steps::before("The platform gets what was promoted"),
        &[ends(DONE, "export staging Orders -o json")],
    );
}
