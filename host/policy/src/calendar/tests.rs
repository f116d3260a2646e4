use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn repeating(start: &str, repeat: &str, duration: &str) -> Rule {
    Rule {
        start: start.to_owned(),
        end: None,
        duration: Some(duration.to_owned()),
        repeat: Some(repeat.to_owned()),
        title: None,
    }
}

fn once(start: &str, end: &str) -> Rule {
    Rule {
        start: start.to_owned(),
        end: Some(end.to_owned()),
        duration: None,
        repeat: None,
        title: Some("stop".into()),
    }
}

fn berlin(allowed: Vec<Rule>, frozen: Vec<Rule>) -> Calendar {
    Calendar { time_zone: "Europe/Berlin".to_owned(), allowed, frozen }
}

fn open(calendar: &Calendar, from: &str, until: &str) -> Vec<String> {
    let windows = calendar.expand(at(from), at(until)).unwrap();
    windows.open.iter().map(|window| format!("{} .. {}", window.from, window.until)).collect()
}

/// Clocks in Berlin: 2026-03-29 02:00 → 03:00, 2026-10-25 03:00 → 02:00.
#[test]
fn clock_changes_are_resolved_as_rfc_5545_says() {
    for (case, start, repeat, duration, from, until, expected) in [
        (
            "a start in the gap moves on by the gap",
            "2026-03-28T02:30:00",
            "FREQ=DAILY",
            "PT1H",
            "2026-03-28T00:00:00Z",
            "2026-03-31T00:00:00Z",
            vec![
                "2026-03-28T01:30:00Z .. 2026-03-28T02:30:00Z",
                "2026-03-29T01:30:00Z .. 2026-03-29T02:30:00Z",
                "2026-03-30T00:30:00Z .. 2026-03-30T01:30:00Z",
            ],
        ),
        (
            "of a start that occurs twice the first counts, once",
            "2026-10-24T02:30:00",
            "FREQ=DAILY",
            "PT30M",
            "2026-10-24T00:00:00Z",
            "2026-10-27T00:00:00Z",
            vec![
                "2026-10-24T00:30:00Z .. 2026-10-24T01:00:00Z",
                "2026-10-25T00:30:00Z .. 2026-10-25T01:00:00Z",
                "2026-10-26T01:30:00Z .. 2026-10-26T02:00:00Z",
            ],
        ),
        (
            "hours are exact elapsed time",
            "2026-10-25T00:00:00",
            "FREQ=DAILY;COUNT=1",
            "PT6H",
            "2026-10-24T00:00:00Z",
            "2026-10-27T00:00:00Z",
            vec!["2026-10-24T22:00:00Z .. 2026-10-25T04:00:00Z"],
        ),
        (
            "a day is a wall-clock day, here of 25 hours",
            "2026-10-25T00:00:00",
            "FREQ=DAILY;COUNT=1",
            "P1D",
            "2026-10-24T00:00:00Z",
            "2026-10-27T00:00:00Z",
            vec!["2026-10-24T22:00:00Z .. 2026-10-25T23:00:00Z"],
        ),
        (
            "office hours keep their wall-clock time across the change",
            "2026-03-23T09:00:00",
            "FREQ=WEEKLY;BYDAY=FR,MO",
            "8h",
            "2026-03-27T00:00:00Z",
            "2026-03-31T00:00:00Z",
            vec![
                "2026-03-27T08:00:00Z .. 2026-03-27T16:00:00Z",
                "2026-03-30T07:00:00Z .. 2026-03-30T15:00:00Z",
            ],
        ),
        (
            "windows that touch are one",
            "2026-01-01T00:00:00",
            "FREQ=DAILY",
            "P1D",
            "2026-03-28T00:00:00Z",
            "2026-03-31T00:00:00Z",
            vec!["2026-03-27T23:00:00Z .. 2026-03-31T22:00:00Z"],
        ),
        (
            "until is the moment it says, in UTC or as wall-clock time",
            "2026-06-01T01:00:00",
            "FREQ=DAILY;UNTIL=20260601T230000Z",
            "1h",
            "2026-05-31T00:00:00Z",
            "2026-06-05T00:00:00Z",
            vec![
                "2026-05-31T23:00:00Z .. 2026-06-01T00:00:00Z",
                "2026-06-01T23:00:00Z .. 2026-06-02T00:00:00Z",
            ],
        ),
    ] {
        let calendar = berlin(vec![repeating(start, repeat, duration)], vec![]);
        assert_eq!(open(&calendar, from, until), expected, "{case}");
    }
}

#[test]
fn frozen_wins_and_the_next_opening_is_named() {
    let calendar = berlin(
        vec![repeating("2026-01-05T09:00:00", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH", "8h")],
        vec![once("2026-06-02T12:00:00", "2026-06-04T10:00:00")],
    );
    let windows = calendar.expand(at("2026-06-01T00:00:00Z"), at("2026-06-08T00:00:00Z")).unwrap();
    for (moment, is_open, next, freeze) in [
        ("2026-06-01T07:00:00Z", true, "2026-06-01T07:00:00Z", false),
        ("2026-06-01T06:59:59Z", false, "2026-06-01T07:00:00Z", false),
        ("2026-06-01T15:00:00Z", false, "2026-06-02T07:00:00Z", false),
        ("2026-06-02T09:59:59Z", true, "2026-06-02T09:59:59Z", false),
        ("2026-06-02T10:00:00Z", false, "2026-06-04T08:00:00Z", true),
        ("2026-06-03T08:00:00Z", false, "2026-06-04T08:00:00Z", true),
        ("2026-06-04T08:00:00Z", true, "2026-06-04T08:00:00Z", false),
    ] {
        let moment = at(moment);
        assert_eq!(windows.is_open(moment), Some(is_open), "{moment}");
        assert_eq!(windows.next_opening(moment), Some(at(next)), "{moment}");
        assert_eq!(windows.freeze(moment).is_some(), freeze, "{moment}");
    }
    assert_eq!(windows.next_opening(at("2026-06-05T08:00:00Z")), None);
    assert_eq!(windows.is_open(at("2026-06-08T00:00:00Z")), None, "nothing is known past the horizon");
    assert_eq!(calendar.next_opening(at("2026-06-05T08:00:00Z")).unwrap(), Some(at("2026-06-08T07:00:00Z")));
}

#[test]
fn what_allows_nothing_is_never_open() {
    let calendar = berlin(vec![], vec![]);
    assert_eq!(calendar.next_opening(at("2026-06-05T08:00:00Z")).unwrap(), None);
}

#[test]
fn errors_name_the_member_and_what_to_write() {
    let rule =
        |start: &str, repeat: &str, duration: &str| berlin(vec![], vec![repeating(start, repeat, duration)]);
    let start = "2026-01-05T09:00:00";
    let both = Rule { end: Some(start.to_owned()), ..repeating(start, "FREQ=DAILY", "1h") };
    let neither = Rule { start: start.to_owned(), end: None, duration: None, repeat: None, title: None };
    for (calendar, expected) in [
        (
            Calendar { time_zone: "Mars/Phobos".into(), allowed: vec![], frozen: vec![] },
            "`time_zone`: `Mars/Phobos`",
        ),
        (
            rule("2026-01-05T09:00:00Z", "FREQ=DAILY", "1h"),
            "`frozen[0].start`: `2026-01-05T09:00:00Z` is not",
        ),
        (rule("soon", "FREQ=DAILY", "1h"), "`frozen[0].start`: `soon` is not a wall-clock time"),
        (rule(start, "FREQ=SOMETIMES", "1h"), "`frozen[0].repeat`: `FREQ=SOMETIMES`"),
        (rule(start, "FREQ=SECONDLY", "1h"), "`frozen[0].repeat`: `FREQ=SECONDLY`"),
        (rule(start, "FREQ=DAILY;INTERVAL=0", "1h"), "never occurs"),
        (rule(start, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "1h"), "never occurs"),
        (rule(start, "FREQ=DAILY;BYDAY=XX", "1h"), "`frozen[0].repeat`: `FREQ=DAILY;BYDAY=XX` is not a rule"),
        (rule(start, "FREQ=DAILY;NOSUCH=1", "1h"), "`NOSUCH` is not a part of a rule"),
        (rule(start, "FREQ=DAILY;UNTIL=then", "1h"), "`UNTIL=then`"),
        (rule(start, "daily", "1h"), "`daily` is not a part of a rule"),
        (rule(start, "FREQ=DAILY", "0h"), "`frozen[0].duration`"),
        (rule(start, "FREQ=DAILY", "a while"), "`frozen[0].duration`: `a while` is not a duration"),
        (rule(start, "FREQ=DAILY", "P1M"), "years or months"),
        (berlin(vec![once(start, start)], vec![]), "`allowed[0].end`: is not after `start`"),
        (berlin(vec![both], vec![]), "`allowed[0].end`: does not go with `repeat`"),
        (berlin(vec![neither], vec![]), "`allowed[0].duration`: write either"),
    ] {
        let error = calendar.check().unwrap_err().to_string();
        assert!(error.contains(expected), "{error} does not say {expected}");
    }
}

#[test]
fn a_rule_that_starts_too_often_is_refused_rather_than_cut_short() {
    let calendar = berlin(vec![repeating("0001-01-01T00:00:00", "FREQ=DAILY", "1h")], vec![]);
    let error = calendar.expand(at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z")).unwrap_err();
    assert!(error.to_string().contains("starts more than 50000 times"), "{error}");
}

proptest! {
    /// Minute by minute, against the obvious model.
    #[test]
    fn open_is_allowed_and_not_frozen(
        allowed in prop::collection::vec((0i64..400, 1i64..60), 0..8),
        frozen in prop::collection::vec((0i64..400, 1i64..60), 0..8),
    ) {
        let minute = |n: i64| Timestamp::from_second(n * 60).unwrap();
        let intervals = |list: &[(i64, i64)]| {
            list.iter().map(|(from, len)| Interval { from: minute(*from), until: minute(from + len) }).collect()
        };
        let open = without(merged(intervals(&allowed)), &merged(intervals(&frozen)));
        for m in 0..500 {
            let within = |list: &[(i64, i64)]| list.iter().any(|(from, len)| (*from..from + len).contains(&m));
            let expected = within(&allowed) && !within(&frozen);
            prop_assert_eq!(open.iter().any(|window| window.holds(minute(m))), expected, "minute {}", m);
        }
        prop_assert!(open.windows(2).all(|pair| pair[0].until < pair[1].from));
    }

    #[test]
    fn any_text_is_a_rule_or_an_error(text in "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;(BYDAY|BYMONTH|BYSETPOS|COUNT|INTERVAL|BYWEEKNO|UNTIL)=[-0-9A-Z,]{0,8}){0,3})|.{0,30}") {
        let calendar = berlin(vec![repeating("2026-01-05T09:00:00", &text, "1h")], vec![]);
        let _ = calendar.expand(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
    }
}
