//! The built-in model: it says what it is, and streams at a steady pace.

use std::time::Duration;

use async_stream::stream;
use futures::Stream;

use events::{ChunkKind, FinishReason, Usage};

use super::Said;
use crate::prompt::{Line, Prompt};

/// Characters of the question that it repeats.
const REPEATED: usize = 80;

/// The answer, word by word; the same prompt always gets the same one.
pub(crate) fn answer(prompt: &Prompt, pace: Duration) -> impl Stream<Item = Said> + Send + use<> {
    let text = text(prompt);
    let usage = Usage { input_tokens: words(prompt), output_tokens: count(&text), ..Usage::default() };
    stream! {
        for word in text.split_inclusive(' ') {
            tokio::time::sleep(pace).await;
            yield Said::Piece(ChunkKind::Text, word.to_owned());
        }
        yield Said::Usage(usage);
        yield Said::Finished(FinishReason::Stop);
    }
}

fn text(prompt: &Prompt) -> String {
    let question = prompt.lines.iter().rev().find(|line| matches!(line, Line::User(_))).map_or("", Line::text);
    let line = question.split_whitespace().collect::<Vec<_>>().join(" ");
    let heard = match line.char_indices().nth(REPEATED) {
        _ if line.is_empty() => "nothing yet".to_owned(),
        Some((end, _)) => format!("“{}…”", &line[..end]),
        None => format!("“{line}”"),
    };
    format!(
        "This is Loquent's offline model: no language model is connected, so I cannot think about what you wrote. \
         I received {heard}, and everything around it is real: your message is stored, this answer is streamed word by word \
         and kept as events. To get real answers, set OPENAI_API_KEY (and OPENAI_BASE_URL for another compatible server) \
         and start Loquent with --model openai/gpt-4o-mini."
    )
}

/// It has no tokens: it counts words.
fn count(text: &str) -> u32 {
    text.split_whitespace().count() as u32
}

fn words(prompt: &Prompt) -> u32 {
    prompt.lines.iter().map(|line| count(line.text())).sum()
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    fn asked(text: &str) -> Prompt {
        Prompt { lines: vec![Line::User(text.into())], ..Prompt::default() }
    }

    #[tokio::test]
    async fn it_says_what_it_is_and_repeats_a_bit_of_the_question() {
        let said: Vec<Said> = answer(&asked("Why is\n the sky blue?"), Duration::ZERO).collect().await;
        let pieces = said.iter().filter_map(|said| match said {
            Said::Piece(ChunkKind::Text, piece) => Some(piece.as_str()),
            _ => None,
        });
        let text: String = pieces.collect();
        assert!(text.contains("offline model"));
        assert!(text.contains("“Why is the sky blue?”"));
        assert!(matches!(said[said.len() - 2..], [Said::Usage(_), Said::Finished(FinishReason::Stop)]));
        let again: Vec<Said> = answer(&asked("Why is\n the sky blue?"), Duration::ZERO).collect().await;
        assert_eq!(said, again);
    }

    #[test]
    fn a_long_question_is_cut_between_two_characters() {
        assert!(text(&asked(&"ä".repeat(200))).contains(&format!("“{}…”", "ä".repeat(80))));
        assert!(text(&Prompt::default()).contains("nothing yet"));
    }
}
