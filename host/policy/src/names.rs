//! What a policy may define and call, checked when it is loaded.

use rhai::{AST, ASTNode, Expr, Position, Stmt};

use crate::api::FUNCTIONS;
use crate::pack::{Pack, PackError};
use crate::sandbox::{ALWAYS, FACTS};

/// Whether a name belongs to the API, so that no policy may give it another meaning.
fn belongs_to_the_api(name: &str) -> bool {
    FACTS.contains(&name) || ALWAYS.contains(&name) || FUNCTIONS.contains(&name)
}

/// Refuses a policy that defines a name of the API, or calls what does not exist.
///
/// # Errors
/// [`PackError`] at the first such place.
pub(crate) fn check(pack: &Pack, ast: &AST) -> Result<(), PackError> {
    let taken = |name: &str, position: Option<(usize, usize)>| {
        pack.error(position, format!("`{name}` is a name of the API: define it under another name"))
    };
    let mut own = Vec::new();
    for function in ast.iter_functions() {
        let line =
            pack.source().lines().position(|line| line.contains("fn ") && line.contains(function.name));
        let position = line.map(|line| (line + 1, 1));
        if let Some(name) = std::iter::once(function.name)
            .chain(function.params.iter().copied())
            .find(|n| belongs_to_the_api(n))
        {
            return Err(taken(name, position));
        }
        own.push(function.name.to_owned());
    }
    let mut found: Option<PackError> = None;
    ast.walk(&mut |path| {
        let Some(node) = path.last() else { return true };
        found = problem(node, &own).map(|(problem, position)| pack.error(place(position), problem));
        found.is_none()
    });
    found.map_or(Ok(()), Err)
}

fn place(position: Position) -> Option<(usize, usize)> {
    Some((position.line()?, position.position().unwrap_or(1)))
}

fn problem(node: &ASTNode<'_>, own: &[String]) -> Option<(String, Position)> {
    let defined = |name: &str, position: Position| {
        belongs_to_the_api(name)
            .then(|| (format!("`{name}` is a name of the API: define it under another name"), position))
    };
    let called = |name: &str, is_operator: bool, is_qualified: bool, position: Position| {
        if is_qualified {
            return Some((format!("`{name}` is called in a module, and there are none"), position));
        }
        let known = is_operator || FUNCTIONS.contains(&name) || own.iter().any(|own| own == name);
        (!known).then(|| (format!("there is no function `{name}`"), position))
    };
    match node {
        ASTNode::Stmt(Stmt::Var(var, _, position)) => defined(var.0.as_str(), *position),
        ASTNode::Stmt(Stmt::For(each, position)) => defined(each.0.as_str(), *position)
            .or_else(|| each.1.as_ref().and_then(|counter| defined(counter.as_str(), *position))),
        ASTNode::Stmt(Stmt::FnCall(call, position))
        | ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position)) => {
            called(&call.name, call.op_token.is_some(), call.is_qualified(), *position)
        }
        _ => None,
    }
}
