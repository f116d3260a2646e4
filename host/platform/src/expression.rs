//! What ToolJet's expressions and code name: queries, components, constants.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Something that an expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named<'t> {
    /// `queries.X`, `queries["X"]`, or `actions.runQuery("X")`, the last of which runs it.
    Query { name: &'t str, runs: bool },
    /// `components.X`, or an action on the component X.
    Component(&'t str),
    /// `constants.X`
    Constant(&'t str),
    /// `secrets.X`
    Secret(&'t str),
}

static READS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b(queries|components|constants|secrets)(?:",
        r"\??\.([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[\p{L}_$][\p{L}\p{N}_$]*)",
        r#"|(?:\?\.)?\[\s*["'`]([^"'`\]]{1,200})["'`]\s*\])"#,
    ))
    .ok()
});

static ACTIONS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\bactions\.(runQuery|showModal|closeModal|setTablePage|scrollComponentInToView)",
        r#"\(\s*["'`]([^"'`]{1,200})["'`]"#,
    ))
    .ok()
});

/// What `text` names. Outside of code only what stands between braces is an expression; an id is
/// unmistakable anywhere.
pub(crate) fn named(text: &str, is_code: bool) -> Vec<Named<'_>> {
    let mut found = Vec::new();
    if text.len() < 9 {
        return found;
    }
    let reads = ["queries", "components", "constants", "secrets"].iter().any(|word| text.contains(word));
    let acts = text.contains("actions.");
    if !reads && !acts {
        return found;
    }
    let expression = if is_code { 0..text.len() } else { braced(text) };
    if let Some(regex) = READS.as_ref().filter(|_| reads) {
        for captures in regex.captures_iter(text) {
            let (Some(whole), Some(scope)) = (captures.get(0), captures.get(1)) else { continue };
            let Some(name) = captures.get(2).or_else(|| captures.get(3)) else { continue };
            let by_id = crate::suspect::is_uuid(name.as_str());
            let member_of_another = text.get(..whole.start()).is_some_and(|before| before.ends_with('.'));
            if member_of_another || !(by_id || expression.contains(&whole.start())) {
                continue;
            }
            found.push(match scope.as_str() {
                "queries" => Named::Query { name: name.as_str(), runs: false },
                "components" => Named::Component(name.as_str()),
                "constants" => Named::Constant(name.as_str()),
                _ => Named::Secret(name.as_str()),
            });
        }
    }
    if let Some(regex) = ACTIONS.as_ref().filter(|_| acts) {
        for captures in regex.captures_iter(text) {
            let (Some(action), Some(name)) = (captures.get(1), captures.get(2)) else { continue };
            if expression.contains(&action.start()) {
                found.push(match action.as_str() {
                    "runQuery" => Named::Query { name: name.as_str(), runs: true },
                    _ => Named::Component(name.as_str()),
                });
            }
        }
    }
    found
}

/// From the first `{{` to the last `}}`: braces of code inside an expression make the exact end a
/// matter for a parser of JavaScript, and text between two expressions seldom looks like one.
pub(crate) fn braced(text: &str) -> Range<usize> {
    match (text.find("{{"), text.rfind("}}")) {
        (Some(start), Some(end)) if start < end => start..end,
        _ => 0..0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_where_they_are_expressions() {
        assert!(READS.is_some() && ACTIONS.is_some());
        let query = |name| Named::Query { name, runs: false };
        let id = "cea6a39b-fd2b-4d13-acb2-50dc237d4242";
        for (text, code, expected) in [
            ("{{queries.getOrders.data}}", false, vec![query("getOrders")]),
            (
                "{{ queries?.获取.data + components['my box'].value }}",
                false,
                vec![query("获取"), Named::Component("my box")],
            ),
            ("queries.getOrders", false, vec![]),
            ("queries.getOrders", true, vec![query("getOrders")]),
            ("x.queries.getOrders", true, vec![]),
            ("queries.cea6a39b-fd2b-4d13-acb2-50dc237d4242.data", false, vec![query(id)]),
            (
                "v{{constants.API_VERSION}}/{{secrets.TOKEN}}",
                false,
                vec![Named::Constant("API_VERSION"), Named::Secret("TOKEN")],
            ),
            (
                "actions.runQuery('a'); actions.showModal(\"m\")",
                true,
                vec![Named::Query { name: "a", runs: true }, Named::Component("m")],
            ),
            ("actions.scrollComponentInToView('t')", true, vec![Named::Component("t")]),
            ("no secrets here", false, vec![]),
        ] {
            assert_eq!(named(text, code), expected, "{text}");
        }
    }
}
