use super::*;

fn person(sequence: Sequence, text: &str) -> Past {
    Past { anchor: sequence, sequence, lines: vec![Line::User(text.into())] }
}

fn assistant(text: &str) -> Line {
    Line::Assistant { text: text.into(), calls: Vec::new() }
}

fn answer(anchor: Sequence, sequence: Sequence, text: &str) -> Past {
    Past { anchor, sequence, lines: vec![assistant(text)] }
}

/// An answer that used a tool.
fn researched(anchor: Sequence, sequence: Sequence) -> Past {
    let call = ToolUse { id: "call_1".into(), name: "look".into(), arguments: "{}".into() };
    let lines = vec![
        Line::Assistant { text: "a".into(), calls: vec![call] },
        Line::Result { call: "call_1".into(), text: "b".into(), is_error: false },
        assistant("c"),
    ];
    Past { anchor, sequence, lines }
}

fn said(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(Line::text).collect()
}

fn material(past: Vec<Past>, limit: Sequence, budget: usize) -> Material {
    Material { past, limit, budget, ..Material::default() }
}

fn note(number: usize) -> String {
    format!("({number} earlier messages of this conversation are left out.)")
}

#[test]
fn an_answer_follows_its_message_also_when_more_was_sent_meanwhile() {
    let past = vec![person(2, "one"), person(5, "two"), answer(2, 6, "first"), person(9, "three")];
    let lines = render(Material { system: vec!["Be brief.".into()], ..material(past, 5, 1000) });
    assert_eq!(said(&lines), ["Be brief.", "one", "first", "two"]);
    assert!(matches!(lines[..], [Line::System(_), Line::User(_), Line::Assistant { .. }, Line::User(_)]));
}

#[test]
fn nothing_sent_later_is_in_it_nor_what_answers_it() {
    let past = vec![person(2, "one"), person(3, "two"), answer(3, 9, "second"), answer(4, 8, "started")];
    assert_eq!(said(&render(material(past, 2, 1000))), ["one"]);
}

#[test]
fn an_agent_that_somebody_started_sees_all_up_to_there() {
    let past = vec![person(2, "one"), answer(2, 6, "first"), person(7, "two"), person(12, "three")];
    assert_eq!(said(&render(material(past, 9, 1000))), ["one", "first", "two"]);
}

#[test]
fn the_oldest_are_forgotten_first_and_that_is_said() {
    let past = vec![person(2, "aaaa"), answer(2, 3, "bbbb"), person(4, "cccc")];
    assert_eq!(said(&render(material(past.clone(), 4, 8))), [&note(1), "bbbb", "cccc"]);
    assert_eq!(said(&render(material(past.clone(), 4, 7))), [&note(2), "cccc"]);
    assert_eq!(said(&render(material(past, 4, 1))), [&note(2), "cccc"], "the last one always stays");
}

#[test]
fn a_tool_call_and_its_result_stay_or_go_together() {
    let past = vec![researched(2, 6), person(9, "d")];
    assert_eq!(said(&render(material(past.clone(), 9, 100))), ["a", "b", "c", "d"]);
    assert_eq!(said(&render(material(past, 9, 8))), [&note(1), "d"]);
}

#[test]
fn empty_texts_and_instructions_are_left_out() {
    let past = vec![person(2, "one"), answer(2, 5, "")];
    let system = ["", " ", "a", "b"].map(String::from).to_vec();
    assert_eq!(said(&render(Material { system, ..material(past, 2, 1000) })), ["a\n\nb", "one"]);
}

#[test]
fn what_steers_a_run_stands_between_its_steps() {
    let lines = render(Material {
        steering: vec![person(9, "rather this")],
        so_far: vec![answer(2, 7, "step one"), answer(2, 11, "step two")],
        team: vec![("researcher".into(), "facts".into())],
        ..material(vec![person(2, "one")], 2, 1000)
    });
    let texts = said(&lines);
    assert_eq!(texts[0], "one");
    assert!(texts[1].contains("## researcher\n\nfacts"));
    assert_eq!(texts[2..], ["step one", "rather this", "step two"]);
}
