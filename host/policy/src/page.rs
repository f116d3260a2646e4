//! The documentation page of a pack, made from what the pack itself says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rhai::{ASTNode, Expr, Stmt};
use sluice_model::verdict::Verdict;

use crate::pack::Policy;
use crate::parameter::{Format, Schema, Type};

/// The page of a pack in Markdown, which is its `README.md`.
#[must_use]
pub fn page(policy: &Policy) -> String {
    let manifest = policy.pack().manifest();
    let mut page = format!("# {}\n\n{}.\n", manifest.name, manifest.title);
    let about = manifest.about.trim();
    if !about.is_empty() {
        let _ = write!(page, "\n{about}\n");
    }
    let list = |facts: &[String]| {
        let facts: Vec<_> = facts.iter().map(|fact| format!("`{fact}`")).collect();
        facts.join(", ")
    };
    let optional = match manifest.optional.as_slice() {
        [] => String::new(),
        optional => format!("; where they were gathered, also {}", list(optional)),
    };
    let _ = write!(
        page,
        "\nVersion {}, `api = {}`. It reads {}{optional}.\n",
        manifest.version,
        manifest.api,
        list(&manifest.facts),
    );
    let example = manifest.example.trim();
    if !example.is_empty() {
        let _ = write!(page, "\n## How it is attached\n\n```toml\n{example}\n```\n");
    }
    if !manifest.parameters.is_empty() {
        page.push_str("\n## Parameters\n\n| parameter | type | default | what it is |\n|---|---|---|---|\n");
        for (name, schema) in &manifest.parameters {
            let default =
                schema.default.as_ref().map_or("must be given".to_owned(), |default| format!("`{default}`"));
            let _ = writeln!(
                page,
                "| `{name}` | {} | {} | {} |",
                cell(&kind(schema)),
                cell(&default),
                cell(&schema.description)
            );
        }
    }
    page.push_str("\n## Findings\n\n| finding | verdict | what it means | what to do | who can |\n|---|---|---|---|---|\n");
    let verdicts = verdicts(policy);
    for (code, finding) in &manifest.findings {
        let words: Vec<_> =
            verdicts.get(code).into_iter().flatten().map(|verdict| verdict.to_string()).collect();
        let lifted = if finding.inviolable { " Nothing lifts it." } else { "" };
        let _ = writeln!(
            page,
            "| `{code}` | {} | {}{lifted} | {} | {} |",
            words.join(" or "),
            cell(&finding.doc),
            cell(finding.fix.as_deref().unwrap_or_default()),
            cell(finding.who.as_deref().unwrap_or_default())
        );
    }
    if !manifest.links.is_empty() {
        page.push_str("\n## What it serves\n\n");
        for link in &manifest.links {
            let _ = writeln!(page, "- {link}");
        }
    }
    page
}

/// The verdicts that the sources give with each code.
pub(crate) fn verdicts(policy: &Policy) -> BTreeMap<String, BTreeSet<Verdict>> {
    let mut found: BTreeMap<String, BTreeSet<Verdict>> = BTreeMap::new();
    for ast in policy.compiled.sources() {
        ast.walk(&mut |path| {
            if let Some(ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _))) =
                path.last()
                && let Some(Expr::StringConstant(code, _)) = call.args.first()
            {
                let verdict = match call.name.as_str() {
                    "pass" => Verdict::Pass,
                    "deny" => Verdict::Deny,
                    "undecided" => Verdict::Undecided,
                    _ => return true,
                };
                found.entry(code.to_string()).or_default().insert(verdict);
            }
            true
        });
    }
    found
}

/// What a parameter is, in words.
fn kind(schema: &Schema) -> String {
    if !schema.one_of.is_empty() {
        return schema.wanted();
    }
    let of = |inner: &Option<Box<Schema>>| inner.as_deref().map(kind).unwrap_or_default();
    let what = match (schema.kind, schema.format) {
        (Type::String, None) => "text".to_owned(),
        (Type::String, Some(Format::Duration)) => "duration".to_owned(),
        (Type::String, Some(Format::DateTime)) => "moment".to_owned(),
        (Type::String, Some(Format::Calendar)) => "calendar's name".to_owned(),
        (Type::String, Some(Format::Role)) => "role's name".to_owned(),
        (Type::String, Some(Format::Person)) => "person's name".to_owned(),
        (Type::String, Some(Format::Publisher)) => "publisher's name".to_owned(),
        (Type::Integer, _) => "whole number".to_owned(),
        (Type::Number, _) => "number".to_owned(),
        (Type::Boolean, _) => "truth".to_owned(),
        (Type::Array, _) => format!("list, each a {}", of(&schema.items)),
        (Type::Object, _) => {
            let names = schema.property_names.as_deref().and_then(|names| names.format?.named());
            let names = names.map_or_else(|| "names".to_owned(), |named| format!("{named}s"));
            format!("table of {names}, each with a {}", of(&schema.additional_properties))
        }
    };
    match (schema.minimum, schema.maximum) {
        (Some(least), Some(most)) => format!("{what} from {least} to {most}"),
        (Some(least), None) => format!("{what}, at least {least}"),
        (None, Some(most)) => format!("{what}, at most {most}"),
        (None, None) => what,
    }
}

/// A text that stays within a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::sandbox::Sandbox;

    #[test]
    fn a_page_tells_all_that_the_pack_says() {
        let manifest = r#"
name = "t"
version = "1.2"
title = "Few changes"
api = 1
facts = ["plan"]
about = "Counts them."
example = "[[transition]]\non = [\"a -> b\"]"
links = ["A standard <https://example.com>"]
[parameters.limit]
type = "integer"
minimum = 1
maximum = 9
default = 3
description = "How many, a|b."
[parameters.who]
type = "object"
additionalProperties = { type = "array", items = { type = "string", format = "duration" } }
description = "Who."
[parameters.word]
type = "string"
enum = ["a", "b"]
default = "a"
description = "A word."
[findings."t.ok"]
doc = "Few."
[findings."t.no"]
doc = "Many."
fix = "change less"
who = "you"
inviolable = true
"#;
        let source = "if plan.changes.count > 3 { deny(\"t.no\", \"x\", #{}); } else if plan.unchanged > 3 \
                      { undecided(\"t.no\", \"x\"); } else { many::say(1); }";
        let module = "fn say(n) { pass(\"t.ok\", #{fact: \"plan.changes\"}); }";
        let files = [
            ("policy.toml", manifest),
            ("policy.rhai", source),
            ("README.md", ""),
            ("modules/many.rhai", module),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        let pack = crate::pack::Pack::new("policies/t", files.into_iter().collect()).unwrap();
        let policy = Sandbox::new(samples::still()).compile(pack).unwrap();
        let wanted = "\
# t

Few changes.

Counts them.

Version 1.2, `api = 1`. It reads `plan`.

## How it is attached

```toml
[[transition]]
on = [\"a -> b\"]
```

## Parameters

| parameter | type | default | what it is |
|---|---|---|---|
| `limit` | whole number from 1 to 9 | `3` | How many, a\\|b. |
| `who` | table of names, each with a list, each a duration | must be given | Who. |
| `word` | `\"a\"` or `\"b\"` | `\"a\"` | A word. |

## Findings

| finding | verdict | what it means | what to do | who can |
|---|---|---|---|---|
| `t.no` | undecided or deny | Many. Nothing lifts it. | change less | you |
| `t.ok` | pass | Few. |  |  |

## What it serves

- A standard <https://example.com>
";
        assert_eq!(page(&policy), wanted);
    }

    #[test]
    fn a_pack_that_says_little_has_a_short_page() {
        let policy = Sandbox::new(samples::still()).compile(samples::pack("let a = 1;").unwrap()).unwrap();
        let page = page(&policy);
        assert!(page.starts_with("# t\n\nt.\n\nVersion 1, `api = 1`. It reads `workspace`,"), "{page}");
        assert!(!page.contains("## How it is attached") && !page.contains("## What it serves"), "{page}");
    }
}
