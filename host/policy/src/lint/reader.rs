//! Goes through a source in the order in which it would run, along all ways at once.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTFlags, ASTNode, Expr, FlowControl, FnCallExpr, Position, Stmt, StmtBlock};
use sluice_model::verdict::Verdict;

use super::shape::{LARGE, Members, Names, Shape, common, of_variable, there_where, there_with, within};
use super::state::{Seen, State};
use super::{
    Found, LARGE_LOOP, MISSING_VALUE, NO_WAY_OUT, UNCITED_PASS, UNDECLARED_CODE, UNKNOWN_CITATION,
    UNKNOWN_MEMBER, UNKNOWN_PARAMETER, WRONG_CALL,
};
use crate::api::{FUNCTIONS, untold};
use crate::definitions::forms;
use crate::pack::Policy;
use crate::rows::comparison_problem;

/// A function of a policy's own: its file, name, and how many values it takes.
pub(super) type FunctionName = (String, String, usize);

/// What the functions of a policy's own are called with.
pub(super) type Calls = BTreeMap<FunctionName, Vec<Shape>>;

/// A function, or the statements outside of all.
pub(super) struct Part {
    pub(super) name: Option<FunctionName>,
    parameters: Vec<String>,
    body: Vec<Stmt>,
}

impl Part {
    /// The parts of a source.
    pub(super) fn all(ast: &AST, file: &str) -> Vec<Self> {
        let outside = Self { name: None, parameters: Vec::new(), body: ast.statements().to_vec() };
        let functions = ast.iter_functions().map(|function| {
            let (name, takes) = (function.name, function.params.len());
            let alone = ast.clone_functions_only_filtered(|_, _, _, n, count| n == name && count == takes);
            let mut body = Vec::new();
            alone.walk(&mut |path| {
                if let [ASTNode::Stmt(statement)] = path {
                    body.push((*statement).clone());
                }
                true
            });
            Self {
                name: Some((file.to_owned(), name.to_owned(), takes)),
                parameters: function.params.iter().map(|name| (*name).to_owned()).collect(),
                body,
            }
        });
        std::iter::once(outside).chain(functions).collect()
    }
}

/// How often a loop is gone through until what is known before and after it agrees.
const MOST_ROUNDS: usize = 3;

/// Loops within each other up to which that is done: each takes as many times the time.
const MOST_PRECISE_LOOPS: usize = 4;

/// Reads one part of a source.
pub(super) struct Reader<'p> {
    policy: &'p Policy,
    members: &'p Members,
    found: &'p mut Found,
    state: State,
    /// For each loop around, what is known where it goes on or ends early.
    jumps: Vec<Vec<State>>,
}

impl<'p> Reader<'p> {
    pub(super) fn new(policy: &'p Policy, members: &'p Members, found: &'p mut Found) -> Self {
        Self { policy, members, found, state: State::default(), jumps: Vec::new() }
    }

    /// Reads a part, whose parameters have these shapes.
    pub(super) fn read(mut self, part: &Part, given: Option<&Vec<Shape>>) {
        for (at, name) in part.parameters.iter().enumerate() {
            let shape = given.and_then(|shapes| shapes.get(at)).cloned().unwrap_or(Shape::Unknown);
            self.state.assign(name, Seen::of(shape));
        }
        self.statements(&part.body);
    }

    fn statements(&mut self, statements: &[Stmt]) -> Seen {
        let mut last = Seen::unknown();
        for statement in statements {
            last = self.statement(statement);
        }
        last
    }

    fn block(&mut self, block: &StmtBlock) -> Seen {
        let outer = self.state.clone();
        let value = self.statements(block.statements());
        let value = self.state.looked_at(value);
        self.state.leave(&outer);
        // Its place may be named by a variable that is gone.
        Seen::of(value.shape)
    }

    fn statement(&mut self, statement: &Stmt) -> Seen {
        match statement {
            Stmt::Var(var, _, _) => {
                let value = self.value(&var.1);
                self.state.assign(&var.0.name, value);
            }
            Stmt::Assignment(assignment) => {
                let (operator, sides) = &**assignment;
                let mut value = self.value(&sides.rhs);
                let before = self.value(&sides.lhs);
                if operator.is_op_assignment() {
                    self.operand(&value, sides.rhs.position());
                    self.operand(&before, sides.lhs.position());
                    value = Seen::unknown();
                }
                if let Expr::Variable(variable, _, _) = &sides.lhs {
                    self.state.assign(&variable.1, value);
                }
            }
            Stmt::If(flow, _) => return self.branches(flow),
            Stmt::While(flow, _) | Stmt::Do(flow, _, _) => self.looped(|reader| {
                let condition = reader.condition(&flow.expr);
                reader.assume(&condition, true);
                reader.block(&flow.body);
            }),
            Stmt::For(each, position) => {
                let (name, counter, flow) = &**each;
                let list = self.value(&flow.expr);
                let element = self.element(list.shape, *position);
                self.looped(|reader| {
                    let outer = reader.state.clone();
                    reader.state.assign(&name.name, Seen::of(element.clone()));
                    if let Some(counter) = counter {
                        reader.state.assign(&counter.name, Seen::unknown());
                    }
                    reader.block(&flow.body);
                    reader.state.leave(&outer);
                });
            }
            Stmt::FnCall(call, position) => return self.call(call, *position),
            Stmt::Block(block) => return self.block(block),
            Stmt::Expr(expression) => return self.value(expression),
            Stmt::BreakLoop(value, _, _) => {
                value.iter().for_each(|value| drop(self.value(value)));
                if let Some(jumps) = self.jumps.last_mut() {
                    jumps.push(self.state.clone());
                }
                self.state.is_over = true;
            }
            Stmt::Return(value, _, _) => {
                value.iter().for_each(|value| drop(self.value(value)));
                self.state.is_over = true;
            }
            _ => {}
        }
        Seen::unknown()
    }

    fn branches(&mut self, flow: &FlowControl) -> Seen {
        let condition = self.condition(&flow.expr);
        let before = self.state.clone();
        self.assume(&condition, true);
        let then = self.block(&flow.body);
        let after = std::mem::replace(&mut self.state, before);
        self.assume(&condition, false);
        let otherwise = self.block(&flow.branch);
        let state = std::mem::take(&mut self.state);
        let value = match (after.is_over, state.is_over) {
            (true, false) => otherwise.shape,
            (false, true) => then.shape,
            _ => then.shape.or(otherwise.shape),
        };
        self.state = after.or(state);
        Seen::of(value)
    }

    /// Goes through a loop until what is known at its beginning holds each time.
    fn looped(&mut self, mut body: impl FnMut(&mut Self)) {
        let mut before = std::mem::take(&mut self.state);
        let was_over = std::mem::take(&mut before.is_over);
        if self.jumps.len() >= MOST_PRECISE_LOOPS {
            before.blur(|_, _| true);
        }
        for round in 1..=MOST_ROUNDS {
            self.jumps.push(Vec::new());
            self.state = before.clone();
            body(self);
            let mut ends = self.jumps.pop().unwrap_or_default();
            ends.push(std::mem::take(&mut self.state));
            let after = ends.into_iter().fold(before.clone(), |known, mut end| {
                end.leave(&before);
                known.or(end)
            });
            let is_settled = after == before || self.jumps.len() >= MOST_PRECISE_LOOPS;
            let earlier = std::mem::replace(&mut before, after);
            if is_settled {
                break;
            }
            if round + 1 == MOST_ROUNDS {
                // What still changes is not known.
                before.blur(|name, seen| !earlier.has(name, seen));
            }
        }
        self.state = before;
        self.state.is_over = was_over;
    }

    fn element(&mut self, list: Shape, position: Position) -> Shape {
        match list {
            Shape::List(of, known, is_all) => {
                if is_all && LARGE.contains(&of) {
                    self.found.note(&LARGE_LOOP, position, format!("goes over every {of} one by one"));
                }
                Shape::Fact(of, known)
            }
            _ => Shape::Unknown,
        }
    }

    fn assume(&mut self, condition: &Shape, is_true: bool) {
        if let Shape::Truth { when_true, when_false } = condition {
            self.state.assume(if is_true { when_true } else { when_false });
        }
    }

    /// A truth on which something hangs.
    fn condition(&mut self, expression: &Expr) -> Shape {
        let seen = self.value(expression);
        self.operand(&seen, expression.position());
        seen.shape
    }

    /// Something that must be there, for what is done with it.
    fn operand(&mut self, seen: &Seen, position: Position) {
        if let Shape::Value { name, may_be_missing: true, .. } = &seen.shape {
            self.found.note(&MISSING_VALUE, position, format!("`{name}` may be missing"));
        }
    }

    fn value(&mut self, expression: &Expr) -> Seen {
        match expression {
            Expr::Variable(variable, _, position) => {
                let name = variable.1.as_str();
                self.found.used.variables.insert(name.to_owned());
                let is_optional = self.policy.pack().manifest().optional.iter().any(|fact| fact == name);
                if is_optional && !self.state.is_present(name) {
                    let message = format!("the optional fact `{name}` may be missing");
                    self.found.note(&MISSING_VALUE, *position, message);
                }
                self.variable(name)
            }
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::Dot(sides, _, _) => {
                let base = self.asked_or_value(&sides.lhs, is_question(&sides.rhs));
                self.step(base, &sides.rhs)
            }
            Expr::Index(sides, flags, _) => {
                self.value(&sides.lhs);
                self.element_at(&sides.rhs, *flags)
            }
            Expr::And(operands, _) => self.joined(operands, true),
            Expr::Or(operands, _) => self.joined(operands, false),
            Expr::Stmt(block) => self.block(block),
            Expr::Array(items, _) | Expr::InterpolatedString(items, _) => {
                items.iter().for_each(|item| drop(self.value(item)));
                Seen::unknown()
            }
            Expr::Map(map, _) => {
                map.0.iter().for_each(|(_, item)| drop(self.value(item)));
                Seen::unknown()
            }
            _ => Seen::unknown(),
        }
    }

    fn variable(&self, name: &str) -> Seen {
        let own = self.state.variable(name);
        own.or_else(|| Some(Seen { shape: of_variable(name)?, place: Some(name.to_owned()) }))
            .unwrap_or_else(Seen::unknown)
    }

    /// A value, of which it may only be asked whether it is there.
    fn asked_or_value(&mut self, expression: &Expr, is_asked: bool) -> Seen {
        match expression {
            Expr::Variable(variable, _, _) if is_asked => {
                self.found.used.variables.insert(variable.1.to_string());
                self.variable(&variable.1)
            }
            _ => self.value(expression),
        }
    }

    /// Operands of `&&` or `||`: each is looked at only where those before it did not decide.
    fn joined(&mut self, operands: &[Expr], is_and: bool) -> Seen {
        let before = self.state.clone();
        let (mut all, mut any) = (Names::new(), None::<Names>);
        for operand in operands {
            if let Shape::Truth { when_true, when_false } = self.condition(operand) {
                let (goes_on, decides) =
                    if is_and { (when_true, when_false) } else { (when_false, when_true) };
                any = Some(any.map_or(decides.clone(), |any| common(&any, &decides)));
                self.state.assume(&goes_on);
                all.extend(goes_on);
            } else {
                any = Some(Names::new());
            }
        }
        self.state = before;
        let any = any.unwrap_or_default();
        let (when_true, when_false) = if is_and { (all, any) } else { (any, all) };
        Seen::of(Shape::Truth { when_true, when_false })
    }

    /// What a step of a chain comes to.
    fn step(&mut self, base: Seen, step: &Expr) -> Seen {
        match step {
            Expr::Dot(sides, _, _) => {
                let next = self.step(base, &sides.lhs);
                self.step(next, &sides.rhs)
            }
            Expr::Index(sides, flags, _) => {
                self.step(base, &sides.lhs);
                self.element_at(&sides.rhs, *flags)
            }
            Expr::Property(property, position) => self.member(base, &property.2, *position),
            Expr::MethodCall(call, position) => self.method(base, call, *position),
            _ => Seen::unknown(),
        }
    }

    /// An element by its index, and what follows of the chain.
    fn element_at(&mut self, index: &Expr, flags: ASTFlags) -> Seen {
        match index {
            Expr::Dot(sides, _, _) if !flags.contains(ASTFlags::BREAK) => {
                self.value(&sides.lhs);
                self.step(Seen::unknown(), &sides.rhs)
            }
            Expr::Index(sides, rest, _) if !flags.contains(ASTFlags::BREAK) => {
                self.value(&sides.lhs);
                self.element_at(&sides.rhs, *rest)
            }
            _ => {
                self.value(index);
                Seen::unknown()
            }
        }
    }

    fn member(&mut self, base: Seen, name: &str, position: Position) -> Seen {
        let place = base.place.map(|place| format!("{place}.{name}"));
        let shape = match base.shape {
            Shape::Fact(fact, known) => match (within(fact, name), self.members.may_be_missing(fact, name)) {
                (Some(inner), _) => inner,
                (None, Some(may_be_missing)) => {
                    let may_be_missing = may_be_missing && !known.contains(name);
                    Shape::Value { of: fact, name: name.to_owned(), may_be_missing }
                }
                (None, None) => self.unknown(fact, name, position),
            },
            Shape::List(of, known, _) => match name {
                "count" => Shape::present("count"),
                "first" => Shape::Fact(of, known),
                _ => {
                    let message = format!("a list of {of} has no `{name}`; it has `count` and `first`");
                    self.found.note(&UNKNOWN_MEMBER, position, message);
                    Shape::Unknown
                }
            },
            Shape::Parameters => {
                self.found.used.parameters.insert(name.to_owned());
                if !self.policy.pack().manifest().parameters.contains_key(name) {
                    let message = format!("`policy.toml` declares no parameter `{name}`");
                    self.found.note(&UNKNOWN_PARAMETER, position, message);
                }
                Shape::Unknown
            }
            Shape::Value { .. } | Shape::Truth { .. } | Shape::Unknown => Shape::Unknown,
        };
        self.state.looked_at(Seen { shape, place })
    }

    fn unknown(&mut self, fact: &str, name: &str, position: Position) -> Shape {
        let article = if fact.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let message = format!("{article} {fact} has no `{name}`; it has {}", self.members.names(fact));
        self.found.note(&UNKNOWN_MEMBER, position, message);
        Shape::Unknown
    }

    fn method(&mut self, base: Seen, call: &FnCallExpr, position: Position) -> Seen {
        let given: Vec<_> = call.args.iter().map(|given| (self.value(given), given.position())).collect();
        self.form(call, 1, position);
        if call.name == "is_missing" {
            return self.is_missing(&base);
        }
        self.called(call, &given);
        let place = base.place.clone().filter(|_| call.args.is_empty());
        let place = place.map(|place| format!("{place}.{}()", call.name));
        let Shape::List(of, known, is_all) = base.shape else {
            self.operand(&base, position);
            if call.name == "contains" {
                given.iter().for_each(|(given, position)| self.operand(given, *position));
            }
            return Seen::unknown();
        };
        let shape = self.narrowed((of, known, is_all), call, position);
        if call.name == "where" {
            given.iter().skip(2).for_each(|(wanted, position)| self.operand(wanted, *position));
        }
        self.state.looked_at(Seen { shape, place })
    }

    /// What a helper makes of a list of facts.
    fn narrowed(
        &mut self,
        (of, mut known, is_all): (&'static str, Names, bool),
        call: &FnCallExpr,
        position: Position,
    ) -> Shape {
        let field = match call.args.first() {
            Some(Expr::StringConstant(field, position)) => Some((field.as_str(), *position)),
            _ => None,
        };
        let takes_field =
            matches!(call.name.as_str(), "where" | "values" | "group" | "sum" | "least" | "most" | "median");
        if let Some((field, position)) = field.filter(|_| takes_field) {
            match self.members.may_be_missing(of, field) {
                None => return self.unknown(of, field, position),
                Some(true) if !known.contains(field) && !asks_whether_known(call) => {
                    let message = format!("`{field}` of some {of} may be missing");
                    self.found.note(&MISSING_VALUE, position, message);
                }
                Some(_) => {}
            }
        }
        match call.name.as_str() {
            "where" => {
                if let Some((field, _)) = field {
                    known.extend(known_after(of, field, call));
                }
                Shape::List(of, known, false)
            }
            "take" => Shape::List(of, known, false),
            "newest" | "oldest" | "named" => {
                if call.name != "named" && self.members.may_be_missing(of, "age").is_none() {
                    return self.unknown(of, "age", position);
                }
                Shape::Fact(of, known)
            }
            "outside" => Shape::List(of, known, is_all),
            "sum" | "least" | "most" | "median" => Shape::present(call.name.as_str()),
            _ => Shape::Unknown,
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) -> Seen {
        if call.name == "is_missing"
            && let [asked] = &*call.args
        {
            let asked = self.asked_or_value(asked, true);
            return self.is_missing(&asked);
        }
        let given: Vec<_> = call.args.iter().map(|given| (self.value(given), given.position())).collect();
        self.form(call, 0, position);
        self.called(call, &given);
        let makes_text = call.name == "+" && call.args.iter().any(is_text);
        if (call.op_token.is_some() || call.name == "contains") && !makes_text {
            given.iter().for_each(|(given, position)| self.operand(given, *position));
        }
        match (call.name.as_str(), given.as_slice()) {
            ("pass" | "deny" | "undecided", _) => self.finding(call, position),
            ("!", [(Seen { shape: Shape::Truth { when_true, when_false }, .. }, _)]) => {
                let (when_true, when_false) = (when_false.clone(), when_true.clone());
                return Seen::of(Shape::Truth { when_true, when_false });
            }
            _ => {}
        }
        Seen::unknown()
    }

    fn is_missing(&self, asked: &Seen) -> Seen {
        let mut when_false = Names::new();
        if let Some(place) = &asked.place {
            when_false.insert(place.clone());
            if let (Shape::Value { of, name, .. }, Some((fact, _))) = (&asked.shape, place.rsplit_once('.')) {
                when_false.extend(there_with(of, name).iter().map(|field| format!("{fact}.{field}")));
            }
        }
        Seen::of(Shape::Truth { when_true: Names::new(), when_false })
    }

    /// Takes down what a function of the policy's own is called with.
    fn called(&mut self, call: &FnCallExpr, given: &[(Seen, Position)]) {
        if FUNCTIONS.contains(&call.name.as_str()) || call.op_token.is_some() {
            return;
        }
        let module = call.namespace.path.first().map(rhai::Ident::as_str);
        let file = match module {
            Some(module) => self.policy.compiled.modules.get(module).and_then(|(_, ast)| ast.source()),
            None => Some(self.found.file.as_str()),
        };
        let Some(file) = file else { return };
        let name = (file.to_owned(), call.name.to_string(), given.len());
        let shapes = given.iter().map(|(seen, _)| match &seen.shape {
            // The places are those of the caller.
            Shape::Truth { .. } => Shape::Unknown,
            shape => shape.clone(),
        });
        let shapes: Vec<_> = shapes.collect();
        let known = self.found.calls.remove(&name);
        let joined = match known {
            Some(known) => known.into_iter().zip(shapes).map(|(a, b)| a.or(b)).collect(),
            None => shapes,
        };
        self.found.calls.insert(name, joined);
    }

    /// Looks whether a call is one that some function takes; `on` is how many values it is called on.
    fn form(&mut self, call: &FnCallExpr, on: usize, position: Position) {
        if call.op_token.is_some() || call.is_qualified() {
            return;
        }
        let (name, given) = (call.name.as_str(), call.args.len());
        let takes: BTreeSet<usize> = match forms().get(name) {
            Some(takes) => takes.iter().filter_map(|takes| takes.checked_sub(on)).collect(),
            // What a function of a policy's own is called on is none of its parameters.
            None => self.policy.compiled.takes(&self.found.file, name),
        };
        if !takes.contains(&given) {
            let values = if takes.iter().eq([&1]) { "value" } else { "values" };
            let takes: Vec<_> = takes.iter().map(usize::to_string).collect();
            let message = format!("`{name}` takes {} {values} and is given {given}", takes.join(" or "));
            self.found.note(&WRONG_CALL, position, message);
            return;
        }
        let verdict = match name {
            "pass" => Some(Verdict::Pass),
            "deny" => Some(Verdict::Deny),
            "undecided" => Some(Verdict::Undecided),
            _ => None,
        };
        if let (Some(verdict), Some(Expr::Map(map, _))) = (verdict, call.args.last()) {
            for (told, _) in &map.0 {
                if let Some(problem) = untold(verdict, told.as_str()) {
                    self.found.note(&WRONG_CALL, told.pos, problem);
                }
            }
        }
        let word = call.args.get(2_usize.saturating_sub(on));
        if let (true, Some(Expr::StringConstant(word, position))) = (name == "where", word)
            && let Some(problem) = comparison_problem(word)
        {
            self.found.note(&WRONG_CALL, *position, problem);
        }
    }

    fn finding(&mut self, call: &FnCallExpr, position: Position) {
        let manifest = self.policy.pack().manifest();
        if let Some(Expr::StringConstant(code, position)) = call.args.first() {
            self.found.used.codes.insert(code.to_string());
            match manifest.findings.get(code.as_str()) {
                None => {
                    let message = format!("gives the finding `{code}`, which is not declared");
                    self.found.note(&UNDECLARED_CODE, *position, message);
                }
                Some(doc) => {
                    let refuses = call.name != "pass";
                    if refuses && (doc.fix.is_none() || doc.who.is_none()) {
                        let message = format!("`{code}` does not say what to do or who can");
                        self.found.note(&NO_WAY_OUT, *position, message);
                    }
                }
            }
        }
        if call.name == "pass"
            && let Some(Expr::Map(map, _)) = call.args.get(1)
        {
            match map.0.iter().find(|(name, _)| name.name == "fact") {
                None => self.found.note(&UNCITED_PASS, position, "passes without a `fact`".to_owned()),
                Some((_, cited)) => self.cited(cited),
            }
        }
    }

    /// What a `pass` cites, where it is written out.
    fn cited(&mut self, cited: &Expr) {
        match cited {
            Expr::StringConstant(name, position) => {
                let fact = name.split('.').next().unwrap_or_default();
                if !self.policy.citable.iter().any(|citable| citable == name.as_str()) {
                    self.found.note(
                        &UNKNOWN_CITATION,
                        *position,
                        format!("there is no fact `{name}` to cite"),
                    );
                } else if !self.policy.pack().manifest().reads().any(|declared| declared == fact) {
                    let message = format!("cites `{name}`, and `policy.toml` does not declare `{fact}`");
                    self.found.note(&UNKNOWN_CITATION, *position, message);
                }
            }
            Expr::Array(all, _) => all.iter().for_each(|one| self.cited(one)),
            _ => {}
        }
    }
}

/// Whether a step only asks whether what is before it is there.
fn is_question(step: &Expr) -> bool {
    matches!(step, Expr::MethodCall(call, _) if call.name == "is_missing")
}

fn is_text(expression: &Expr) -> bool {
    matches!(expression, Expr::StringConstant(..) | Expr::InterpolatedString(..))
}

/// Whether a `where` asks whether a field is there.
fn asks_whether_known(call: &FnCallExpr) -> bool {
    matches!(call.args.get(1), Some(Expr::StringConstant(word, _)) if word == "known")
}

/// The fields that those have which a `where` keeps.
fn known_after(of: &'static str, field: &str, call: &FnCallExpr) -> Names {
    match (call.args.get(1), call.args.get(2)) {
        (Some(Expr::StringConstant(word, _)), Some(Expr::BoolConstant(true, _))) if word == "known" => {
            there_with(of, field)
        }
        (Some(Expr::StringConstant(word, _)), Some(Expr::StringConstant(value, _))) if word == "==" => {
            there_where(of, field, value)
        }
        _ => Names::new(),
    }
}
