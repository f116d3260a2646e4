//! How a command names a plan: by what it would do, by a file, or by the digest of one that was
//! made here before. A plan is always made anew; that it is still the one that was named is shown
//! by its digest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sluice_engine::plan::{Choice, Plan, PlanRequest, TransitionKind, Wanted};
use sluice_engine::promote::is_named;
use sluice_engine::{Error, Workspace};
use sluice_model::{Digest, EnvironmentName, LogicalId, json};
use sluice_policy::Input;

use crate::failure::Failure;
use crate::input;

/// Bytes of a plan's file that are read: a plan of the largest export seen has a tenth of it.
const MOST_PLAN: u64 = 256 << 20;

/// For how long a plan that nobody consented to can be named by its digest: longer than a release takes that is
/// still meant, for a plan that is older was most likely overtaken by others.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A choice for one object, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    object: String,
    choice: Choice,
}

/// Reads `OBJECT=CHOICE`.
pub(crate) fn chosen(text: &str) -> Result<Chosen, String> {
    let wrong = || "write `OBJECT=skip`, `OBJECT=overwrite` or `OBJECT=create`".to_owned();
    let (object, choice) = text.rsplit_once('=').ok_or_else(wrong)?;
    let choice = match choice {
        "skip" => Choice::Skip,
        "overwrite" => Choice::Overwrite,
        "create" => Choice::Create,
        _ => return Err(wrong()),
    };
    if object.is_empty() { Err(wrong()) } else { Ok(Chosen { object: object.to_owned(), choice }) }
}

/// Which transition of an app.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TransitionArguments {
    /// Plan its promotion to this environment.
    #[arg(long, value_name = "ENV", group = "transition")]
    pub(crate) to: Option<EnvironmentName>,
    /// Plan its release in this environment.
    #[arg(long, value_name = "ENV", group = "transition")]
    pub(crate) release: Option<EnvironmentName>,
    /// Plan taking back a promotion of it to this environment.
    #[arg(long, value_name = "ENV", group = "transition")]
    pub(crate) rollback: Option<EnvironmentName>,
    /// The version [default: the newest one that stands where it comes from].
    #[arg(long, value_name = "VERSION", requires = "transition", conflicts_with = "rollback")]
    pub(crate) version: Option<String>,
    /// The number of the promotion to take back [default: the last one].
    #[arg(long, value_name = "N", requires = "rollback")]
    pub(crate) promotion: Option<u64>,
    /// What to do about one object, by its name or id, instead of what follows from the target:
    /// `skip`, `overwrite` or `create`.
    #[arg(long, value_name = "OBJECT=CHOICE", value_parser = chosen, requires = "to")]
    pub(crate) choose: Vec<Chosen>,
}

/// A plan: a file, the beginning of a digest, or an app with `--to ENV`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlanArgument {
    /// A file that `sluice plan --out` wrote, the digest of a plan made here (its beginning will
    /// do), or an app's name with `--to`, `--release` or `--rollback`; `check` and `why` also take an
    /// export.
    #[arg(value_name = "PLAN|APP")]
    pub(crate) plan: String,
    #[command(flatten)]
    pub(crate) transition: TransitionArguments,
}

/// What makes a plan again, and the digest that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remembered {
    digest: Digest,
    transition: TransitionKind,
    app: String,
    environment: EnvironmentName,
    version: Option<String>,
    promotion: Option<u64>,
    choices: BTreeMap<LogicalId, Choice>,
}

/// A plan's file: what makes the plan again, the plan, and what gates judge it by. Where there is a
/// store the plan is made anew; elsewhere it is judged by what the file carries.
#[derive(Serialize, Deserialize)]
pub(crate) struct PlanFile {
    request: Remembered,
    pub(crate) plan: Plan,
    pub(crate) input: Input,
}

impl PlanFile {
    /// The file of a plan.
    pub(crate) fn of(plan: &Plan, input: Input) -> Self {
        Self { request: Remembered::of(plan), plan: plan.clone(), input }
    }
}

/// What is read of a plan's file, or of a plan that is remembered, to make it anew.
#[derive(Deserialize)]
struct Kept {
    request: Remembered,
}

/// What a path that is given as a plan holds.
pub(crate) enum Given {
    /// A plan's file, and its bytes.
    Plan(Box<PlanFile>, Vec<u8>),
    /// Something else: an export.
    Export,
}

/// What a file or folder holds that is given as a plan.
pub(crate) fn given(path: &Path) -> Result<Given, Failure> {
    if path.is_dir() {
        return Ok(Given::Export);
    }
    let bytes = input::file(path, MOST_PLAN)?;
    // A plan's file is told by what no export has at its root.
    let Ok(value) = json::read(&bytes, bytes.len()) else { return Ok(Given::Export) };
    if value.get("request").is_none() || value.get("plan").is_none() {
        return Ok(Given::Export);
    }
    let file = serde_json::from_value(value).map_err(|error| not_a_plan(path, &error.to_string()))?;
    Ok(Given::Plan(Box::new(file), bytes))
}

impl Remembered {
    /// What makes this very plan again, with what was left open when it was made filled in.
    pub(crate) fn of(plan: &Plan) -> Self {
        let is_rollback = plan.transition == TransitionKind::Rollback;
        Self {
            digest: plan.digest,
            transition: plan.transition,
            app: plan.app.to_string(),
            environment: plan.to.clone(),
            version: (!is_rollback).then(|| plan.version.clone()),
            promotion: plan.takes_back,
            choices: plan.choices.clone(),
        }
    }

    fn request(&self) -> PlanRequest {
        let (app, environment) = (self.app.clone(), self.environment.clone());
        let version = self.version.clone();
        let transition = match self.transition {
            TransitionKind::Promotion => Wanted::Promotion { app, version, to: environment },
            TransitionKind::Release => Wanted::Release { app, version, environment },
            TransitionKind::Rollback => Wanted::Rollback { app, environment, promotion: self.promotion },
        };
        PlanRequest { transition, choices: self.choices.clone() }
    }
}

/// What is asked for, and the digest by which it was named if it was.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// What makes the plan.
    pub(crate) request: PlanRequest,
    /// The digest that it must have.
    pub(crate) digest: Option<String>,
}

impl TransitionArguments {
    /// The transition of `app` that was typed, if one was.
    fn wanted(&self, app: &str) -> Option<Wanted> {
        let (app, version) = (app.to_owned(), self.version.clone());
        match (&self.to, &self.release, &self.rollback) {
            (Some(to), _, _) => Some(Wanted::Promotion { app, version, to: to.clone() }),
            (_, Some(environment), _) => {
                Some(Wanted::Release { app, version, environment: environment.clone() })
            }
            (_, _, Some(environment)) => {
                Some(Wanted::Rollback { app, environment: environment.clone(), promotion: self.promotion })
            }
            _ => None,
        }
    }
}

impl PlanArgument {
    /// What is meant.
    pub(crate) fn named(&self, workspace: &Workspace) -> Result<Named, Failure> {
        if let Some(transition) = self.transition.wanted(&self.plan) {
            let request = PlanRequest { transition, choices: BTreeMap::new() };
            return Ok(Named { request: choose(workspace, request, &self.transition.choose)?, digest: None });
        }
        let remembered = if is_digest(&self.plan) {
            recall(workspace, &self.plan)?
        } else if Path::new(&self.plan).is_file() {
            read(Path::new(&self.plan))?
        } else {
            return Err(Failure::usage(
                format!("`{}` is neither a plan's file nor the beginning of a plan's digest", self.plan),
                format!(
                    "name an app with where it goes, such as `{} --to staging`, or a digest of at least eight digits",
                    self.plan
                ),
            ));
        };
        Ok(Named { request: remembered.request(), digest: Some(remembered.digest.to_string()) })
    }

    /// Makes the plan, and refuses it where it is no longer the one that was named.
    pub(crate) fn plan(&self, workspace: &Workspace) -> Result<Plan, Failure> {
        let named = self.named(workspace)?;
        let plan = workspace.plan(&named.request)?;
        refuse_changed(&plan, named.digest.as_deref())?;
        remember(workspace, &plan);
        Ok(plan)
    }
}

/// Refuses a plan that is not the one that was named.
fn refuse_changed(plan: &Plan, named: Option<&str>) -> Result<(), Failure> {
    match named {
        Some(named) if !is_named(&plan.digest, named) => Err(Error::PlanChanged {
            named: named.to_owned(),
            now: plan.digest,
            what: "the bundle, a rendered source, a gate or what the target holds".to_owned(),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Turns names of objects into ids: by the objects that the plan touches without the choices.
pub(crate) fn choose(
    workspace: &Workspace,
    mut request: PlanRequest,
    chosen: &[Chosen],
) -> Result<PlanRequest, Failure> {
    if chosen.is_empty() {
        return Ok(request);
    }
    let plan = workspace.plan(&request)?;
    for Chosen { object, choice } in chosen {
        let by_id = plan.objects.iter().find(|planned| planned.object.as_str() == object);
        let by_name: Vec<_> = plan.objects.iter().filter(|planned| planned.name == *object).collect();
        let id = match (by_id, by_name.as_slice()) {
            (Some(planned), _) => planned.object.clone(),
            (None, [planned]) => planned.object.clone(),
            (None, []) => LogicalId::new(object.clone())?,
            (None, several) => {
                let candidates: Vec<String> =
                    several.iter().map(|planned| format!("{} ({})", planned.object, planned.kind)).collect();
                return Err(Error::Ambiguous {
                    what: "objects of the plan",
                    named: object.clone(),
                    count: several.len(),
                    candidates: candidates.join(", "),
                }
                .into());
            }
        };
        request.choices.insert(id, *choice);
    }
    Ok(request)
}

/// Whether a text is the beginning of a digest, long enough to name a plan.
fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    (8..=64).contains(&digits.len()) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.folder().join(".sluice").join("plans")
}

/// Keeps what makes a plan again under its digest, so that other commands can name it. Only a
/// convenience: where it cannot be written the plan is named otherwise.
pub(crate) fn remember(workspace: &Workspace, plan: &Plan) {
    let folder = folder(workspace);
    let file = folder.join(format!("{}.json", plan.digest.hex()));
    let written = serde_json::to_vec(&serde_json::json!({ "request": Remembered::of(plan) }))
        .map_err(std::io::Error::other)
        .and_then(|bytes| {
            fs::create_dir_all(&folder)?;
            fs::write(&file, bytes)
        });
    if let Err(error) = written {
        tracing::warn!(file = %file.display(), %error, "the plan cannot be named by its digest");
    }
    let now = SystemTime::from(workspace.records().ambient().now());
    forget(&folder, now, |plan| workspace.has_consent(plan).unwrap_or(true));
}

/// Drops what was kept of plans that nobody made for [`KEPT`], but for those that `keep` wants.
fn forget(folder: &Path, now: SystemTime, keep: impl Fn(&Digest) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let plan = path.file_stem().and_then(|stem| format!("sha256:{}", stem.to_str()?).parse().ok());
        let made = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let is_old = made.and_then(|made| now.duration_since(made).ok()).is_some_and(|age| age > KEPT);
        if is_old && plan.is_some_and(|plan| !keep(&plan)) {
            // Who cannot drop it now does so the next time.
            let _ = fs::remove_file(path);
        }
    }
}

fn recall(workspace: &Workspace, named: &str) -> Result<Remembered, Failure> {
    let digits = named.strip_prefix("sha256:").unwrap_or(named);
    let entries = fs::read_dir(folder(workspace)).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.starts_with(digits))
        })
        .collect();
    found.sort();
    match found.as_slice() {
        [one] => read(one),
        [] => Err(Failure::usage(
            format!("no plan that was made here begins with `{named}`"),
            "make it with `sluice plan APP --to ENV`, or name it as `APP --to ENV`",
        )),
        several => {
            Err(Failure::usage(format!("{} plans begin with `{named}`", several.len()), "give more digits"))
        }
    }
}

fn read(path: &Path) -> Result<Remembered, Failure> {
    let bytes = input::file(path, MOST_PLAN)?;
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| not_a_plan(path, &error.to_string()))?;
    Ok(kept.request)
}

fn not_a_plan(path: &Path, problem: &str) -> Failure {
    Failure::failed(
        format!("`{}` is not a plan's file: {problem}", path.display()),
        "write one with `sluice plan APP --to ENV --out FILE`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_names_an_object_and_what_to_do() {
        for (text, expected) in [
            ("orders-db=skip", Some(("orders-db", Choice::Skip))),
            ("a=b=create", Some(("a=b", Choice::Create))),
            ("x=overwrite", Some(("x", Choice::Overwrite))),
            ("=skip", None),
            ("orders-db", None),
            ("orders-db=delete", None),
        ] {
            let read = chosen(text).ok();
            assert_eq!(read.as_ref().map(|c| (c.object.as_str(), c.choice)), expected, "{text}");
        }
    }

    #[test]
    fn a_digest_is_told_from_a_file_and_an_app() {
        for (text, expected) in [
            ("sha256:0123abcd", true),
            ("0123abcd", true),
            ("0123abc", false),
            ("0123ABCD", false),
            ("Orders", false),
            ("plan.json", false),
        ] {
            assert_eq!(is_digest(text), expected, "{text}");
        }
        assert!(!is_digest(&"a".repeat(65)));
    }

    #[test]
    fn old_plans_are_forgotten_unless_somebody_consented() {
        let folder = tempfile::tempdir().unwrap();
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let (wanted, unwanted) = (Digest::of(b"wanted"), Digest::of(b"unwanted"));
        let names =
            [format!("{}.json", wanted.hex()), format!("{}.json", unwanted.hex()), "notes.txt".into()];
        for name in &names {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(made).unwrap();
        }
        let left = |now: SystemTime| {
            forget(folder.path(), now, |plan| *plan == wanted);
            names.iter().map(|name| folder.path().join(name).exists()).collect::<Vec<_>>()
        };
        assert_eq!(left(made + KEPT), [true, true, true]);
        // A clock that is behind forgets nothing.
        assert_eq!(left(SystemTime::UNIX_EPOCH), [true, true, true]);
        assert_eq!(left(made + KEPT + Duration::from_secs(1)), [true, false, true]);
    }

    #[test]
    fn what_is_remembered_is_read_again() {
        let remembered = Remembered {
            digest: Digest::of(b"plan"),
            transition: TransitionKind::Rollback,
            app: "app-1".into(),
            environment: EnvironmentName::new("staging").unwrap(),
            version: None,
            promotion: Some(3),
            choices: BTreeMap::from([(LogicalId::new("db").unwrap(), Choice::Skip)]),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let whole = serde_json::json!({ "request": remembered, "plan": { "anything": 1 } });
        fs::write(&path, serde_json::to_vec(&whole).unwrap()).unwrap();
        assert_eq!(read(&path).unwrap(), remembered);
        let request = remembered.request();
        assert!(matches!(request.transition, Wanted::Rollback { promotion: Some(3), .. }));
        assert_eq!(request.choices, remembered.choices);
        for text in ["{\"request\": 1}", "{\"request\": 1, \"plan\": 2}", "{", ""] {
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap_err().exit().code(), 1, "{text}");
            assert_eq!(matches!(given(&path), Ok(Given::Export)), !text.contains("plan"), "{text}");
        }
    }
}
