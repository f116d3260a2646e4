//! What a policy may define and call, checked when it is loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Module, Position, Stmt};

use crate::api::FUNCTIONS;
use crate::pack::{Pack, PackError};
use crate::sandbox::{ALWAYS, FACTS, line_column};

/// Whether a name belongs to the API, so that no policy may give it another meaning.
fn belongs_to_the_api(name: &str) -> bool {
    FACTS.contains(&name) || ALWAYS.contains(&name) || FUNCTIONS.contains(&name)
}

/// Why a module may not have this name, if so.
pub(crate) fn module_problem(name: &str) -> Option<String> {
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !is_name {
        return Some("a module's file is named with lower-case letters, digits and `_`".to_owned());
    }
    belongs_to_the_api(name)
        .then(|| format!("`{name}` is a name of the API: give the module's file another name"))
}

/// The modules of a pack with their sources, by name.
pub(crate) type Modules = BTreeMap<String, (Arc<Module>, AST)>;

/// Values that a call may be given. Rhai looks for a function by each way of taking up to sixteen of them
/// for values of any type, within one step: with a thousand that took a third of a second.
const MOST_ARGUMENTS: usize = 32;

/// Refuses a source that defines a name of the API, or calls what does not exist.
///
/// # Errors
/// [`PackError`] at the first such place.
pub(crate) fn check(pack: &Pack, file: &str, ast: &AST, modules: &Modules) -> Result<(), PackError> {
    let taken = |name: &str, position: Option<(usize, usize)>| {
        pack.error(file, position, format!("`{name}` is a name of the API: define it under another name"))
    };
    let source = pack.files().get(file).map_or("", String::as_str);
    let mut own = Vec::new();
    for function in ast.iter_functions() {
        let line = source.lines().position(|line| line.contains("fn ") && line.contains(function.name));
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
        found = problem(node, &own, modules)
            .map(|(problem, position)| pack.error(file, line_column(position), problem));
        found.is_none()
    });
    found.map_or(Ok(()), Err)
}

fn problem(node: &ASTNode<'_>, own: &[String], modules: &Modules) -> Option<(String, Position)> {
    let defined = |name: &str, position: Position| {
        belongs_to_the_api(name)
            .then(|| (format!("`{name}` is a name of the API: define it under another name"), position))
    };
    let called = |call: &FnCallExpr, position: Position| {
        let name = call.name.as_str();
        if call.args.len() > MOST_ARGUMENTS {
            let count = call.args.len();
            return Some((format!("`{name}` is given {count} values, more than {MOST_ARGUMENTS}"), position));
        }
        if call.is_qualified() {
            return in_module(call, modules).map(|problem| (problem, position));
        }
        let is_operator = call.op_token.is_some();
        let known = is_operator || FUNCTIONS.contains(&name) || own.iter().any(|own| own == name);
        (!known).then(|| (format!("there is no function `{name}`"), position))
    };
    match node {
        ASTNode::Stmt(Stmt::Var(var, _, position)) => defined(var.0.as_str(), *position),
        ASTNode::Stmt(Stmt::For(each, position)) => defined(each.0.as_str(), *position)
            .or_else(|| each.1.as_ref().and_then(|counter| defined(counter.as_str(), *position))),
        ASTNode::Stmt(Stmt::FnCall(call, position))
        | ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position)) => {
            called(call, *position)
        }
        _ => None,
    }
}

/// Why a call of a module's function cannot succeed, if so.
fn in_module(call: &FnCallExpr, modules: &Modules) -> Option<String> {
    let path: Vec<&str> = call.namespace.path.iter().map(rhai::Ident::as_str).collect();
    let called = format!("{}::{}", path.join("::"), call.name);
    let module = match path.as_slice() {
        [one] => modules.get(*one),
        _ => None,
    };
    let Some((_, ast)) = module else {
        return Some(format!(
            "`{called}`: the pack has no such module: its modules are files `modules/NAME.rhai`"
        ));
    };
    let wanted = call.args.len();
    let takes: Vec<usize> = ast
        .iter_functions()
        .filter(|function| function.name == call.name.as_str())
        .map(|function| function.params.len())
        .collect();
    match takes.first() {
        None => Some(format!("`{called}`: the module has no such function")),
        Some(_) if takes.contains(&wanted) => None,
        Some(takes) => Some(format!("`{called}` takes {takes} values and is given {wanted}")),
    }
}
