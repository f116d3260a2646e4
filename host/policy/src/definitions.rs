//! What editors and people read about facts and helpers, made from what the sandbox registers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::api::FUNCTION_DOCS;
use crate::lint::RULES;
use crate::sandbox::{ALWAYS, FACTS, Sandbox};
use crate::vocabulary::{API, reference};

/// The page of all facts, helpers and lint rules, in Markdown.
#[must_use]
pub fn page() -> String {
    let mut page = String::new();
    let _ = writeln!(
        page,
        "# Facts and helpers of policies\n\n\
         Made from the sandbox itself; `api = {API}`. A name that stands here keeps its meaning under this \
         version. A policy declares under `facts` in `policy.toml` which of the variables it reads.\n\n\
         ## Variables\n\n{} and, without being declared, {}.\n\n## Facts",
        listed(&FACTS),
        listed(&ALWAYS),
    );
    for documented in reference().into_iter().filter(|documented| documented.of != "function") {
        let (of, name, doc) = (documented.of, documented.name, documented.doc);
        let _ = if name.is_empty() {
            writeln!(page, "\n### {of}\n\n{doc}\n\n| member | what it is |\n|---|---|")
        } else {
            writeln!(page, "| `{name}` | {} |", doc.replace('|', "\\|"))
        };
    }
    let _ = writeln!(
        page,
        "\nA list of facts has `count` and `first`, and goes into `for`; the helpers below search it.\n\n\
         ## Helpers\n\n| name | what it does |\n|---|---|"
    );
    for (name, doc) in FUNCTION_DOCS {
        let _ = writeln!(page, "| `{name}` | {} |", doc.replace('|', "\\|"));
    }
    let _ = writeln!(page, "\n## Lint rules\n\n| rule | what it finds | what to do |\n|---|---|---|");
    for rule in RULES {
        let _ = writeln!(page, "| `{}` | {} | {} |", rule.id, rule.doc, rule.fix);
    }
    page
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How many values each helper can be given, the one that it is called on among them.
pub(crate) fn forms() -> &'static BTreeMap<String, BTreeSet<usize>> {
    static FORMS: OnceLock<BTreeMap<String, BTreeSet<usize>>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let registered = Sandbox::new(Arc::new(|| Duration::ZERO)).registered();
        let mut forms: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for function in registered.lines().filter_map(Function::of) {
            if FUNCTION_DOCS.iter().any(|(name, _)| *name == function.name) {
                forms.entry(function.name.to_owned()).or_default().insert(function.parameters.len());
            }
        }
        forms
    })
}

impl Sandbox {
    /// What the engine says of itself.
    fn registered(&self) -> String {
        self.with_engine(|engine| engine.definitions().include_standard_packages(false).single_file())
    }

    /// The definitions of all helpers and members, for editors that know Rhai (`.d.rhai`): what
    /// the engine says of itself, with the names of types and the documentation of the reference.
    #[must_use]
    pub fn definitions(&self) -> String {
        let raw = self.registered();
        let mut told = String::new();
        let mut definitions =
            format!("// Facts and helpers of policies, `api = {API}`. Made; not to be edited.\n");
        // Setters are there to refuse.
        let is_setter = |line: &str| line.starts_with("fn set ") || line.starts_with("fn index$set$");
        for line in raw.lines().filter(|line| !line.is_empty() && !is_setter(line)) {
            let Some(function) = Function::of(line) else {
                let _ = writeln!(definitions, "{line}");
                continue;
            };
            let doc = function.doc();
            if told != function.name || function.is_member() {
                let _ = writeln!(definitions);
                if let Some(doc) = &doc {
                    let _ = writeln!(definitions, "/// {doc}");
                }
            }
            told = function.name.to_owned();
            let _ = writeln!(definitions, "{}", function.written(doc.as_deref()));
        }
        definitions
    }
}

/// What the engine says stands where a function can also fault.
const CAN_FAULT: &str = "EvalAltResult>>";

/// A function as the engine tells it: `fn NAME(_: TYPE, …) -> TYPE;` or `op …`.
struct Function<'l> {
    word: &'l str,
    name: &'l str,
    parameters: Vec<&'l str>,
    returns: &'l str,
}

impl<'l> Function<'l> {
    fn of(line: &'l str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').filter(|(word, _)| matches!(*word, "fn" | "op"))?;
        let (name, rest) = rest.split_once('(')?;
        let (parameters, returns) = rest.strip_suffix(';')?.split_once(") -> ")?;
        let parameters = parameters
            .split(", ")
            .map(|parameter| parameter.strip_prefix("_: ").unwrap_or(parameter))
            .filter(|parameter| !parameter.is_empty())
            .collect();
        Some(Self { word, name, parameters, returns })
    }

    fn is_member(&self) -> bool {
        self.name.starts_with("get ")
    }

    /// What the reference says of it.
    fn doc(&self) -> Option<String> {
        match self.name.strip_prefix("get ") {
            Some(member) => {
                let of = self.parameters.first()?;
                let mut all = reference().into_iter();
                all.find(|it| it.of == *of && it.name == member).map(|it| it.doc.to_owned())
            }
            None => {
                FUNCTION_DOCS.iter().find(|(name, _)| *name == self.name).map(|(_, doc)| (*doc).to_owned())
            }
        }
    }

    fn written(&self, doc: Option<&str>) -> String {
        let names = ["a", "b", "c", "d"];
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .zip(names)
            .map(
                |(kind, name)| {
                    if self.word == "op" { type_name(kind) } else { format!("{name}: {}", type_name(kind)) }
                },
            )
            .collect();
        let returns = if self.returns == CAN_FAULT { self.value(doc) } else { type_name(self.returns) };
        format!("{} {}({}) -> {returns};", self.word, self.name, parameters.join(", "))
    }

    /// The type of a value that the engine tells only as one that can fault.
    fn value(&self, doc: Option<&str>) -> String {
        let list = self.parameters.first().copied().unwrap_or_default();
        let element = list.strip_prefix("list of ");
        match (self.name, element) {
            ("pass" | "deny" | "undecided", _) => "()".to_owned(),
            ("where" | "outside" | "take", Some(_)) => type_name(list),
            ("get first" | "newest" | "oldest" | "named", Some(element)) => type_name(element),
            ("values" | "group", Some(_)) | ("split", _) => "array".to_owned(),
            ("sum" | "least" | "most" | "median", Some(_)) => "int".to_owned(),
            ("quorum", _) => "map".to_owned(),
            ("duration", _) => "Duration".to_owned(),
            ("moment", _) => "Moment".to_owned(),
            ("join", _) => "string".to_owned(),
            ("contains" | "==" | "!=" | "<" | "<=" | ">" | ">=", _) => "bool".to_owned(),
            ("+" | "-", _) => type_name(list),
            ("get changes", _) => type_name("list of change"),
            ("get sources", _) => type_name("list of source"),
            ("get credentials", _) => type_name("list of credential"),
            ("get still_pointing_at_source", _) => type_name("list of leftover"),
            ("get secrets", _) => type_name("list of secret"),
            ("get personal_data", _) => type_name("list of personal datum"),
            _ => match doc.and_then(|doc| doc.split_once(':')).map(|(kind, _)| kind) {
                Some("text") => "string".to_owned(),
                Some("integer") => "int".to_owned(),
                Some("truth") => "bool".to_owned(),
                Some("moment") => "Moment".to_owned(),
                Some("duration") => "Duration".to_owned(),
                Some("list of text") => "array".to_owned(),
                _ => "?".to_owned(),
            },
        }
    }
}

/// The name of a type as editors take it: `list of past transition` is `PastTransitionList`.
fn type_name(kind: &str) -> String {
    let (kind, suffix) = kind.strip_prefix("list of ").map_or((kind, ""), |element| (element, "List"));
    match kind {
        "Timestamp" => "Moment".to_owned(),
        "SignedDuration" => "Duration".to_owned(),
        "?" | "bool" | "int" | "float" | "string" | "array" | "map" | "()" => kind.to_owned(),
        of_facts => {
            let words = of_facts.split(' ').map(|word| {
                let mut letters = word.chars();
                letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
            });
            words.collect::<String>() + suffix
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::samples::still;

    /// Compares a file of `docs/` with what is made; `SLUICE_UPDATE=1` writes it.
    #[track_caller]
    fn stands(file: &str, made: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
        if std::env::var_os("SLUICE_UPDATE").is_some() {
            std::fs::write(&path, made).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == made, "`docs/{file}` is not what the sandbox says: run with SLUICE_UPDATE=1");
    }

    #[test]
    fn the_reference_and_the_definitions_are_what_the_sandbox_says() {
        stands("policy-reference.md", &page());
        stands("sluice.d.rhai", &Sandbox::new(still()).definitions());
    }

    #[test]
    fn every_helper_has_the_forms_that_it_is_documented_with() {
        assert_eq!(forms().len(), FUNCTION_DOCS.len());
        for (name, takes) in
            [("deny", &[3][..]), ("undecided", &[2, 3]), ("pass", &[2]), ("where", &[4]), ("keys", &[1])]
        {
            assert!(forms()[name].iter().eq(takes), "{name}: {:?}", forms()[name]);
        }
    }

    #[test]
    fn every_member_and_helper_has_a_type_and_documentation() {
        let definitions = Sandbox::new(still()).definitions();
        for wanted in [
            "/// text: the account it signs in with, or missing\nfn get account(a: Source) -> string;",
            "fn where(a: PastTransitionList, b: string, c: string, d: ?) -> PastTransitionList;",
            "fn get first(a: ChangeList) -> Change;",
            "fn get changes(a: Plan) -> ChangeList;",
            "fn median(a: PastTransitionList, b: string) -> int;",
            "op -(Moment, Moment) -> Duration;",
        ] {
            assert!(definitions.contains(wanted), "{wanted}");
        }
        assert!(!definitions.contains(CAN_FAULT), "a type is not told");
        for line in definitions.lines().filter(|line| line.starts_with("fn get ")) {
            assert!(!line.ends_with("-> ?;"), "{line}");
        }
    }
}
