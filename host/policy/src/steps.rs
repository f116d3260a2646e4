//! Seeing each step that an engine takes: what coverage and traces are made of.

use rhai::debugger::{DebuggerCommand, DebuggerEvent};
use rhai::{ASTNode, Engine, EvalContext, Position};

use crate::pack::SOURCE_FILE;

/// Has an engine tell each node of a source before it is evaluated, with the file within the pack, and
/// where in it.
#[expect(
    deprecated,
    reason = "rhai marks its debugger as volatile, not as deprecated; there is no other way to see each step"
)]
pub(crate) fn watch(
    engine: &mut Engine,
    see: impl Fn(&EvalContext<'_, '_, '_, '_, '_, '_>, ASTNode<'_>, &str, Position) + Send + Sync + 'static,
) {
    engine.register_debugger(
        |_, debugger| debugger,
        move |context, event, node, file, position| {
            // What ends, such as the call behind `+=`, has begun before and is not seen twice.
            if matches!(event, DebuggerEvent::Start | DebuggerEvent::Step) {
                see(&context, node, file.unwrap_or(SOURCE_FILE), position);
            }
            Ok(DebuggerCommand::StepInto)
        },
    );
}
