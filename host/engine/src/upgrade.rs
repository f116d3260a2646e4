//! What another version of a plugin would make of the data sources that go from environment to
//! environment.
//!
//! Each is rendered by the plugin that counts and by the other, with the same input, and what comes
//! out is compared. Nothing is changed.

use std::collections::BTreeSet;

use serde::Serialize;
use sluice_model::diff::{self, Change};
use sluice_model::{Digest, EnvironmentName, Kind, LogicalId};
use sluice_plugin::Plugin;

use crate::config::PluginName;
use crate::error::Result;
use crate::plan::Problem;
use crate::render::{Rendered, Rendering};
use crate::scan::Find;
use crate::settings::Settings;
use crate::state::Work;
use crate::workspace::Workspace;

/// What an upgrade of a plugin would change, promotion by promotion. Those without a data source of
/// the plugin are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Impact {
    /// The component that counts now; none where no plugin is called so.
    pub before: Option<Digest>,
    /// The other.
    pub after: Digest,
    /// The promotions whose data sources were rendered.
    pub promotions: Vec<Promotion>,
}

/// A version on its way, or where it has come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promotion {
    /// The app.
    pub app: LogicalId,
    /// What people call it.
    pub app_name: String,
    /// The version.
    pub version: String,
    /// Where it stands.
    pub from: EnvironmentName,
    /// Where it goes.
    pub to: EnvironmentName,
    /// Whether it is the version that stands there already.
    pub is_there: bool,
    /// The data sources that would come out otherwise.
    pub changed: Vec<ChangedSource>,
    /// How many would come out the same.
    pub same: usize,
}

/// A data source that would come out otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedSource {
    /// The data source.
    pub source: LogicalId,
    /// What people call it.
    pub name: String,
    /// The platform's kind.
    pub kind: Kind,
    /// Where its options would differ. Where it is made by one of the two only, all of it.
    pub options: Vec<Change>,
    /// Where the secrets that fill its slots would differ.
    pub slots: Vec<Change>,
    /// Where what is reported for policies would differ.
    pub traits: Vec<Change>,
    /// What would stand in its way, and does not now.
    pub problems: Vec<Problem>,
    /// What stands in its way now, and would not.
    pub solved: Vec<Problem>,
}

impl Impact {
    /// Whether anything would come out otherwise.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.promotions.iter().all(|promotion| promotion.changed.is_empty())
    }
}

/// A version, and whether it has come to where it goes.
struct OnItsWay {
    version: String,
    bundle: Digest,
    is_there: bool,
}

/// The two that are compared.
struct Plugins<'p> {
    before: Option<&'p Plugin>,
    after: &'p Plugin,
}

impl Plugins<'_> {
    /// Which of the two serve a kind; `None` where neither does.
    fn serving(&self, kind: &Kind) -> Option<(Option<&Plugin>, Option<&Plugin>)> {
        let serves = |plugin: &&Plugin| plugin.description(kind).is_some();
        let (before, after) = (self.before.filter(serves), Some(self.after).filter(serves));
        (before.is_some() || after.is_some()).then_some((before, after))
    }
}

impl Workspace {
    /// What another component would change in place of a plugin, or of none where no plugin of the
    /// adopted configuration is called so: of each app and environment in the version that would be
    /// promoted next, and in the one that was promoted last.
    ///
    /// # Errors
    /// When the component cannot be loaded, or content is missing or damaged. What the component makes
    /// of a data source that it cannot render is a problem, not an error.
    pub fn impact(&self, name: &PluginName, component: &[u8]) -> Result<Impact> {
        let registry = self.plugins()?;
        let own = self.config()?.limits_of(name);
        let after = self.host()?.load_within(name.as_str(), component, &own)?;
        let before = self.adopted()?.plugins.get(name.as_str()).copied();
        let before =
            before.and_then(|digest| registry.plugins().iter().find(|plugin| plugin.digest() == digest));
        let plugins = Plugins { before, after: &after };
        let mut promotions = Vec::new();
        let mut work = self.work();
        let environments: Vec<EnvironmentName> =
            self.config()?.environments.iter().map(|environment| environment.name.clone()).collect();
        for (from, to) in environments.iter().zip(environments.iter().skip(1)) {
            let settings = self.settings(&mut work, to)?;
            for app in self.apps_in(&mut work, [from, to])? {
                for version in self.on_their_way(&mut work, &app, from, to)? {
                    promotions.extend(self.promotion(&work, &settings, &plugins, (from, to), version)?);
                }
            }
        }
        Ok(Impact { before: before.map(Plugin::digest), after: after.digest(), promotions })
    }

    /// The apps that stand in one of these environments.
    fn apps_in(
        &self,
        work: &mut Work<'_>,
        environments: [&EnvironmentName; 2],
    ) -> Result<BTreeSet<LogicalId>> {
        let mut apps = BTreeSet::new();
        for environment in environments {
            let (_, state) = self.environment(work, environment)?;
            apps.extend(state.standings(work)?.into_keys());
        }
        Ok(apps)
    }

    /// The version of an app that would be promoted next, and the one that was promoted last, which may
    /// be the same.
    fn on_their_way(
        &self,
        work: &mut Work<'_>,
        app: &LogicalId,
        from: &EnvironmentName,
        to: &EnvironmentName,
    ) -> Result<Vec<OnItsWay>> {
        let last = |work: &mut Work<'_>, environment: &EnvironmentName| -> Result<Option<(String, Digest)>> {
            let (_, state) = self.environment(work, environment)?;
            let promoted = state.standing_of(work, app)?.and_then(|mut standing| standing.promoted.pop());
            Ok(promoted.map(|promoted| (promoted.version, promoted.bundle)))
        };
        let next = if *from == self.first_environment()? {
            self.versions(app)?.pop().map(|cut| (cut.version, cut.bundle))
        } else {
            last(work, from)?
        };
        let there = last(work, to)?;
        let of = |(version, bundle), is_there| OnItsWay { version, bundle, is_there };
        let next = next.filter(|next| there.as_ref() != Some(next)).map(|next| of(next, false));
        Ok(next.into_iter().chain(there.map(|there| of(there, true))).collect())
    }

    /// What becomes of a version's data sources; `None` where none is of the plugin.
    fn promotion(
        &self,
        work: &Work<'_>,
        settings: &Settings,
        plugins: &Plugins<'_>,
        (from, to): (&EnvironmentName, &EnvironmentName),
        version: OnItsWay,
    ) -> Result<Option<Promotion>> {
        let OnItsWay { version, bundle, is_there } = version;
        let bundle = crate::version::bundle(work, &bundle)?;
        let mut promotion = Promotion {
            app: bundle.app,
            app_name: bundle.name,
            version,
            from: from.clone(),
            to: to.clone(),
            is_there,
            changed: Vec::new(),
            same: 0,
        };
        for find in self.finds(work, bundle.content)? {
            let Find::Source { id, name, kind, .. } = &find else { continue };
            let is_others = |serves: &Plugin| Some(serves.digest()) != plugins.before.map(Plugin::digest);
            let Some((before, after)) = plugins.serving(kind) else { continue };
            if self.plugins()?.for_kind(kind).is_some_and(is_others) {
                continue;
            }
            let before = self.render_by(before, work, settings, from, to, &find)?;
            let after = self.render_by(after, work, settings, from, to, &find)?;
            match ChangedSource::between(id, name, kind, before, after)? {
                Some(changed) => promotion.changed.push(changed),
                None => promotion.same += 1,
            }
        }
        let has_some = promotion.same > 0 || !promotion.changed.is_empty();
        Ok(has_some.then_some(promotion))
    }
}

impl ChangedSource {
    /// What differs between two renderings of a data source; `None` where nothing does but which
    /// component made it.
    fn between(
        source: &LogicalId,
        name: &str,
        kind: &Kind,
        before: Rendering,
        after: Rendering,
    ) -> Result<Option<Self>> {
        let new = |these: &[Problem], those: &[Problem]| -> Vec<Problem> {
            these.iter().filter(|problem| !those.contains(problem)).cloned().collect()
        };
        let (problems, solved) =
            (new(&after.problems, &before.problems), new(&before.problems, &after.problems));
        let (before, after) = (before.rendered.as_ref(), after.rendered.as_ref());
        let differ = |part: fn(&Rendered) -> Result<serde_json::Value>| -> Result<Vec<Change>> {
            let of = |rendered: Option<&Rendered>| rendered.map(part).transpose();
            Ok(match (of(before)?, of(after)?) {
                (Some(before), Some(after)) => diff::diff(&before, &after),
                (before, after) if before == after => Vec::new(),
                (before, after) => vec![Change { at: sluice_model::Pointer::root(), before, after }],
            })
        };
        let changed = Self {
            source: source.clone(),
            name: name.to_owned(),
            kind: kind.clone(),
            options: differ(|rendered| Ok(rendered.options.clone()))?,
            slots: differ(|rendered| Ok(serde_json::to_value(&rendered.slots)?))?,
            traits: differ(|rendered| Ok(serde_json::to_value(&rendered.traits)?))?,
            problems,
            solved,
        };
        let is_same = changed.options.is_empty()
            && changed.slots.is_empty()
            && changed.traits.is_empty()
            && changed.problems.is_empty()
            && changed.solved.is_empty();
        Ok((!is_same).then_some(changed))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sluice_plugin::Traits;

    use super::*;

    fn rendered(options: Value, slot: &str, tls: Option<bool>) -> Option<Rendered> {
        let slots = [("password".parse().unwrap(), slot.parse().unwrap())].into();
        Some(Rendered {
            source: "db".parse().unwrap(),
            name: "db".to_owned(),
            kind: "tooljet/postgresql".parse().unwrap(),
            plugin: Some(Digest::of(slot.as_bytes())),
            options,
            slots,
            traits: Traits { tls, ..Traits::default() },
            owned_by_target: Vec::new(),
        })
    }

    fn problem(code: &str) -> Problem {
        let (message, fix, who) = (String::new(), String::new(), String::new());
        Problem { code: code.to_owned(), message, fix, who, object: None, at: None }
    }

    #[test]
    fn each_part_that_differs_is_told_where_it_does() {
        let one = || rendered(json!({"host": "a", "port": 1}), "secret://staging/a", Some(true));
        for (after, problems, options, slots, traits, new, solved) in [
            (one(), vec!["x"], vec![], vec![], vec![], 0, 0),
            (one(), vec!["x", "y"], vec![], vec![], vec![], 1, 0),
            (one(), vec![], vec![], vec![], vec![], 0, 1),
            (
                rendered(json!({"host": "b"}), "secret://staging/a", Some(true)),
                vec!["x"],
                vec!["/host", "/port"],
                vec![],
                vec![],
                0,
                0,
            ),
            (
                rendered(json!({"host": "a", "port": 1}), "secret://staging/b", None),
                vec!["x"],
                vec![],
                vec!["/password"],
                vec!["/tls"],
                0,
                0,
            ),
            (None, vec!["y"], vec![""], vec![""], vec![""], 1, 1),
        ] {
            let of = |rendered, problems: Vec<&str>| Rendering {
                rendered,
                problems: problems.into_iter().map(problem).collect(),
                ..Rendering::default()
            };
            let is_same = options.is_empty() && slots.is_empty() && traits.is_empty() && new + solved == 0;
            let (id, kind) = ("db".parse().unwrap(), "tooljet/postgresql".parse().unwrap());
            let changed =
                ChangedSource::between(&id, "db", &kind, of(one(), vec!["x"]), of(after, problems)).unwrap();
            assert_eq!(changed.is_none(), is_same, "{changed:?}");
            let Some(changed) = changed else { continue };
            let at = |changes: &[Change]| -> Vec<String> {
                changes.iter().map(|change| change.at.to_string()).collect()
            };
            assert_eq!((at(&changed.options), at(&changed.slots)), (owned(&options), owned(&slots)));
            assert_eq!(at(&changed.traits), owned(&traits));
            assert_eq!((changed.problems.len(), changed.solved.len()), (new, solved));
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
