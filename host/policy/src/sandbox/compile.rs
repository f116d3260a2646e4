//! From the sources of a pack to what an engine runs.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{AST, Dynamic, Engine, Module, Scope};

use super::{ALWAYS, FACTS, Runner, Sandbox, line_column};
use crate::api::parameter_getters;
use crate::names::{self, Modules};
use crate::pack::{Pack, PackError, Policy, SOURCE_FILE};

/// What an engine runs of a policy. Evaluation counts the users of each constant in it, so that
/// threads have copies of their own.
pub(crate) struct Compiled {
    pub(crate) ast: AST,
    /// The pack's own modules with their sources, by name.
    pub(crate) modules: Modules,
    /// Getters of the parameters.
    pub(crate) parameters: Arc<Module>,
}

impl Compiled {
    /// The policy's source and those of its modules.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &AST> {
        std::iter::once(&self.ast).chain(self.modules.values().map(|(_, ast)| ast))
    }

    /// How many values each function of a file takes that has this name.
    pub(crate) fn takes(&self, file: &str, name: &str) -> BTreeSet<usize> {
        let of_file = self.sources().filter(|ast| ast.source().unwrap_or(SOURCE_FILE) == file);
        let functions = of_file.flat_map(AST::iter_functions).filter(|function| function.name == name);
        functions.map(|function| function.params.len()).collect()
    }
}

impl Sandbox {
    /// Compiles a pack's source and refuses what could only fail later.
    ///
    /// # Errors
    /// [`PackError`] with file, line and column.
    pub fn compile(&self, pack: Pack) -> Result<Arc<Policy>, PackError> {
        let compiled = self.compiled(&pack)?;
        Ok(Arc::new(Policy::new(pack, compiled, Arc::clone(&self.names))))
    }

    /// What this thread's engines run of a pack.
    pub(crate) fn compiled(&self, pack: &Pack) -> Result<Compiled, PackError> {
        let mut scope = Scope::new();
        for name in pack.manifest().reads().map(String::as_str).chain(ALWAYS) {
            // Only so that strict variables know the name; the value comes from `on_var`.
            scope.push_dynamic(name.to_owned(), Dynamic::UNIT);
        }
        let modules = self.modules(pack)?;
        let runner = self.parser(&modules);
        let ast = parse(&runner.engine, &scope, pack, SOURCE_FILE, pack.source())?;
        names::check(pack, SOURCE_FILE, &ast, &modules)?;
        if modules.is_empty() {
            self.idle.give_back(runner);
        }
        let parameters = Arc::new(parameter_getters(pack.manifest().parameters.keys()));
        Ok(Compiled { ast, modules, parameters })
    }

    /// Compiles the modules of a pack: functions, and nothing else.
    fn modules(&self, pack: &Pack) -> Result<Modules, PackError> {
        let mut modules = BTreeMap::new();
        for (name, file, source) in pack.modules() {
            if let Some(problem) = names::module_problem(name) {
                return Err(pack.error(file, None, problem));
            }
            let runner = self.take();
            let ast = parse(&runner.engine, &Scope::new(), pack, file, source)?;
            if let Some(statement) = ast.statements().first() {
                let place = line_column(statement.position());
                return Err(pack.error(file, place, "a module holds functions, and nothing else"));
            }
            names::check(pack, file, &ast, &BTreeMap::new())?;
            let mut module = Module::eval_ast_as_new(Scope::new(), &ast, &runner.engine)
                .map_err(|error| pack.error(file, line_column(error.position()), error.to_string()))?;
            module.set_id(file);
            module.build_index();
            self.idle.give_back(runner);
            modules.insert(name.to_owned(), (Arc::new(module), ast));
        }
        Ok(modules)
    }

    /// An engine that parses calls of these modules: any idle one where there are none.
    fn parser(&self, modules: &Modules) -> Runner {
        if modules.is_empty() {
            return self.take();
        }
        let mut runner = self.runner().0;
        for (name, (module, _)) in modules {
            runner.engine.register_static_module(name.as_str(), Arc::clone(module));
        }
        runner
    }
}

/// Parses a source of a pack. An engine on which the parser broke is not used again.
fn parse(
    engine: &Engine,
    scope: &Scope<'_>,
    pack: &Pack,
    file: &str,
    source: &str,
) -> Result<AST, PackError> {
    let compiled = catch_unwind(AssertUnwindSafe(|| engine.compile_with_scope(scope, source)));
    let Ok(compiled) = compiled else {
        return Err(pack.error(file, None, "cannot be parsed: the parser broke on it; simplify the policy"));
    };
    let mut ast =
        compiled.map_err(|error| pack.error(file, line_column(error.position()), parse_problem(&error)))?;
    ast.set_source(file);
    Ok(ast)
}

/// A parse error in the house's words.
fn parse_problem(error: &rhai::ParseError) -> String {
    match error.err_type() {
        rhai::ParseErrorType::VariableUndefined(name) if FACTS.contains(&name.as_str()) => {
            format!("reads the fact `{name}`, which `policy.toml` does not declare: add it to `facts`")
        }
        rhai::ParseErrorType::ModuleUndefined(name) => {
            format!("the pack has no such module as `{name}`: its modules are files `modules/NAME.rhai`")
        }
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
        }
    }
}
