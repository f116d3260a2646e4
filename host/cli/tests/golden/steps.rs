//! The story, played once; scenes that go wrong begin at one of its chapters.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::answers;
use crate::stage::{Held, Stage};
use crate::story::{Act, STORY};

/// The story as it was played, with what was there before each chapter.
struct Played {
    told: String,
    chapters: BTreeMap<&'static str, Held>,
    end: Held,
}

static PLAYED: LazyLock<Played> = LazyLock::new(|| {
    let mut stage = Stage::empty();
    let mut chapters = BTreeMap::new();
    for act in STORY {
        if let Act::Say(text) = act {
            chapters.insert(*text, stage.held());
        }
        stage.play(act);
    }
    Played { told: stage.told.clone(), chapters, end: stage.held() }
});

/// A copy of the folder from before the chapter whose title begins so.
pub(crate) fn before(title: &str) -> Stage {
    let chapters = &PLAYED.chapters;
    let found: Vec<&Held> =
        chapters.iter().filter(|(text, _)| text.starts_with(title)).map(|(_, held)| held).collect();
    assert_eq!(found.len(), 1, "the story has one chapter `{title}`");
    found[0].stage()
}

/// A copy of the folder as the story leaves it.
pub(crate) fn end() -> Stage {
    PLAYED.end.stage()
}

#[test]
fn each_step_of_the_story_prints_what_is_expected() {
    answers::compare("story", &PLAYED.told);
}
