//! What of a policy its cases ran, by line and by branch.
//!
//! Rhai's debugger interface tells each statement and expression that is evaluated; the tree of
//! the source says which there are. A line is covered when every statement that begins in it ran.
//! A branch is an arm of an `if`, or an operand of `&&` and `||`: that it was evaluated, and that
//! it was passed over because those before it had decided.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, ASTNode, Engine, Expr, Position, Stmt, StmtBlock};

use crate::pack::{Policy, SOURCE_FILE};
use crate::steps;

/// A node of a source: its file, line and column, and whether it is a statement.
type Node = (String, usize, usize, bool);

/// How often each node was evaluated.
#[derive(Debug, Default)]
pub(crate) struct Visits(Mutex<HashMap<Node, u64>>);

impl Visits {
    /// Has an engine tell every evaluation of a node.
    pub(crate) fn watch(self: &Arc<Self>, engine: &mut Engine) {
        let visits = Arc::clone(self);
        steps::watch(engine, move |_, node, file, position| {
            if let Some((line, column)) = place(position) {
                let mut visits = visits.0.lock().unwrap_or_else(PoisonError::into_inner);
                *visits.entry((file.to_owned(), line, column, node.is_stmt())).or_default() += 1;
            }
        });
    }

    /// What of a policy was evaluated.
    pub(crate) fn of(&self, policy: &Policy) -> Coverage {
        let visits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = BTreeMap::new();
        for ast in policy.compiled.sources() {
            let file = ast.source().unwrap_or(SOURCE_FILE);
            let count = |position: Position, is_statement: bool| {
                place(position)
                    .and_then(|(line, column)| visits.get(&(file.to_owned(), line, column, is_statement)))
                    .copied()
                    .unwrap_or(0)
            };
            files.insert(file.to_owned(), FileCoverage::of(ast, &count));
        }
        Coverage { files }
    }
}

fn place(position: Position) -> Option<(usize, usize)> {
    Some((position.line()?, position.position().unwrap_or(1)))
}

/// What of a policy its cases ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// By file: the policy's source and its modules.
    pub files: BTreeMap<String, FileCoverage>,
}

/// What of a file ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileCoverage {
    /// The lines in which statements begin, and whether all of those ran.
    pub lines: BTreeMap<usize, bool>,
    /// The branches, in the order of the source.
    pub branches: Vec<Branch>,
}

/// A way that evaluation can take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Branch {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// Which way.
    pub way: Way,
    /// Whether it was taken.
    pub taken: bool,
}

/// Which way evaluation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The condition of an `if` holds.
    Then,
    /// It does not.
    Else,
    /// An operand of `&&` or `||` is asked.
    Asked,
    /// It is not, because those before it have decided.
    PassedOver,
}

impl Way {
    /// The way in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Then => "the condition holds",
            Self::Else => "the condition does not hold",
            Self::Asked => "the right side is asked",
            Self::PassedOver => "the left side decides",
        }
    }
}

/// Some of a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// How many ran.
    pub covered: usize,
    /// How many there are.
    pub total: usize,
}

impl Share {
    /// Hundredths of a percent, rounded down, so that only all is 10,000; of nothing, all.
    #[must_use]
    pub fn hundredths(self) -> usize {
        (self.covered * 10_000).checked_div(self.total).unwrap_or(10_000)
    }

    fn of(taken: impl Iterator<Item = bool>) -> Self {
        taken.fold(Self::default(), |share, taken| Self {
            covered: share.covered + usize::from(taken),
            total: share.total + 1,
        })
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hundredths = self.hundredths();
        write!(f, "{}.{:02} % ({} of {})", hundredths / 100, hundredths % 100, self.covered, self.total)
    }
}

impl Coverage {
    /// The lines that ran.
    #[must_use]
    pub fn lines(&self) -> Share {
        Share::of(self.files.values().flat_map(|file| file.lines.values().copied()))
    }

    /// The branches that were taken.
    #[must_use]
    pub fn branches(&self) -> Share {
        Share::of(self.files.values().flat_map(|file| file.branches.iter().map(|branch| branch.taken)))
    }
}

/// How often the node at a place was evaluated, a statement or an expression.
type Count<'c> = &'c dyn Fn(Position, bool) -> u64;

impl FileCoverage {
    fn of(ast: &AST, count: Count<'_>) -> Self {
        let mut lines: BTreeMap<usize, bool> = BTreeMap::new();
        let mut branches = BTreeSet::new();
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(statement)) => {
                    if let Some((position, is_statement)) = shown(statement)
                        && let Some(line) = position.line()
                    {
                        let ran = count(position, is_statement) > 0;
                        *lines.entry(line).or_insert(true) &= ran;
                    }
                    if let Stmt::If(flow, position) = statement {
                        arms(&mut branches, *position, &flow.body, &flow.branch, count);
                    }
                }
                Some(ASTNode::Expr(Expr::And(operands, _) | Expr::Or(operands, _))) => {
                    for pair in operands.windows(2) {
                        let [before, operand] = pair else { continue };
                        operands_of(&mut branches, before, operand, count);
                    }
                }
                _ => {}
            }
            true
        });
        Self { lines, branches: branches.into_iter().collect() }
    }
}

/// The node by which the debugger shows that a statement is evaluated.
fn shown(statement: &Stmt) -> Option<(Position, bool)> {
    match statement {
        Stmt::Noop(_) | Stmt::Block(_) => None,
        Stmt::Expr(expression) => Some((expression.position(), false)),
        other => Some((other.position(), true)),
    }
}

/// How often a block was entered, where that shows.
fn entered(block: &StmtBlock, count: Count<'_>) -> Option<u64> {
    let first = block.statements().first()?;
    shown(first).map(|(position, is_statement)| count(position, is_statement))
}

fn arms(
    branches: &mut BTreeSet<Branch>,
    at: Position,
    then: &StmtBlock,
    otherwise: &StmtBlock,
    count: Count<'_>,
) {
    let all = count(at, true);
    let (then, otherwise) = match (entered(then, count), entered(otherwise, count)) {
        (Some(then), Some(otherwise)) => (then, otherwise),
        (Some(then), None) => (then, all.saturating_sub(then)),
        (None, Some(otherwise)) => (all.saturating_sub(otherwise), otherwise),
        (None, None) => return,
    };
    note(branches, at, Way::Then, then > 0);
    note(branches, at, Way::Else, otherwise > 0);
}

fn operands_of(branches: &mut BTreeSet<Branch>, before: &Expr, operand: &Expr, count: Count<'_>) {
    let (before, asked) = (count(before.position(), false), count(operand.position(), false));
    note(branches, operand.position(), Way::Asked, asked > 0);
    note(branches, operand.position(), Way::PassedOver, before > asked);
}

fn note(branches: &mut BTreeSet<Branch>, at: Position, way: Way, taken: bool) {
    if let Some((line, column)) = place(at) {
        branches.insert(Branch { line, column, way, taken });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::sandbox::Sandbox;

    /// The coverage of a script that is asked once for each limit.
    fn covered(source: &str, limits: &[i64]) -> FileCoverage {
        let sandbox = Sandbox::watching(samples::still());
        let pack = samples::pack(source).unwrap();
        let digest = pack.digest();
        let policy = sandbox.compile(pack.clone()).unwrap();
        for limit in limits {
            let spec = crate::gate::GateSpec {
                parameters: BTreeMap::from([("limit".to_owned(), (*limit).into())]),
                pack: digest,
                ..samples::spec("g", &pack)
            };
            let gate = crate::gate::Gate::new(spec, &policy).unwrap();
            drop(sandbox.evaluate(&gate, &samples::ready(samples::facts())));
        }
        sandbox.coverage(&policy).unwrap().files.remove(SOURCE_FILE).unwrap()
    }

    #[test]
    fn lines_and_branches_count_what_was_evaluated() {
        let source = "let n = params.limit;\n\
                      if n > 2 {\n    deny(\"t.no\", \"many\", #{});\n} else if n > 1 {\n    \
                      undecided(\"t.no\", \"some\");\n}\n\
                      if n > 0 && n < 9 { pass(\"t.ok\", #{fact: \"plan.version\", actual: plan.version}); }";
        for (limits, lines, taken) in [
            (&[][..], "", ""),
            (&[0][..], "1 2 4 7", "2:else 4:else 7:else 7:passed"),
            (&[3][..], "1 2 3 7", "2:then 7:then 7:asked"),
            (&[2, 3][..], "1 2 3 4 5 7", "2:then 2:else 4:then 7:then 7:asked"),
            (&[0, 2, 3][..], "1 2 3 4 5 7", "2:then 2:else 4:then 4:else 7:then 7:else 7:asked 7:passed"),
        ] {
            let file = covered(source, limits);
            // A line on which a statement stands that did not run is not covered.
            let all: Vec<_> = file.lines.keys().copied().collect();
            assert_eq!(all, [1, 2, 3, 4, 5, 7]);
            let ran: Vec<_> =
                file.lines.iter().filter(|(_, ran)| **ran).map(|(line, _)| line.to_string()).collect();
            let lines: Vec<_> = lines
                .split(' ')
                .filter(|line| !line.is_empty() && (*line != "7" || limits.iter().any(|n| *n > 0)))
                .collect();
            assert_eq!(ran, lines, "{limits:?}");
            let ways: Vec<_> = file
                .branches
                .iter()
                .filter(|branch| branch.taken)
                .map(|branch| {
                    let way = match branch.way {
                        Way::Then => "then",
                        Way::Else => "else",
                        Way::Asked => "asked",
                        Way::PassedOver => "passed",
                    };
                    format!("{}:{way}", branch.line)
                })
                .collect();
            assert_eq!(ways.join(" "), taken, "{limits:?}");
            assert_eq!(file.branches.len(), 8);
        }
    }

    #[test]
    fn an_arm_that_begins_with_an_assignment_counts_once() {
        let source = "let n = 0;\nif params.limit > 2 { n += 1; }\n";
        let taken = |limits: &[i64]| {
            let branches = covered(source, limits).branches;
            branches.into_iter().filter(|branch| branch.taken).map(|branch| branch.way).collect::<Vec<_>>()
        };
        assert_eq!(taken(&[3]), [Way::Then]);
        assert_eq!(taken(&[3, 1]), [Way::Then, Way::Else]);
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        for (covered, total, text) in [
            (0, 0, "100.00 % (0 of 0)"),
            (0, 3, "0.00 % (0 of 3)"),
            (2, 3, "66.66 % (2 of 3)"),
            (9_999, 10_000, "99.99 % (9999 of 10000)"),
            (99_999, 100_000, "99.99 % (99999 of 100000)"),
            (3, 3, "100.00 % (3 of 3)"),
        ] {
            assert_eq!(Share { covered, total }.to_string(), text);
        }
    }
}
