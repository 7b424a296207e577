//! The readable text of a page.
//!
//! Pages are chosen by models and written by anybody, so nothing here may take more than linear time. Building a tree does: a
//! deeply nested page of 5 MiB keeps a tree builder busy for hours. A tokenizer is enough to read by, and where even that is slow
//! (a tag with a million attributes) it is stopped after a while.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer};
use reqwest::Url;

/// How long a page may keep us reading.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes between two looks at the clock.
const STEP: usize = 8 << 10;
/// Bytes of a link that is shown.
const LINK: usize = 500;

/// The text of a page, its title first; and whether it was read to its end.
pub(super) fn to_text(html: &str, base: &Url) -> (String, bool) {
    let sink = Reader { page: RefCell::new(Page::new(base.clone())) };
    let tokenizer = Tokenizer::new(sink, Default::default());
    let (queue, until) = (BufferQueue::default(), Instant::now() + PATIENCE);
    let mut rest = html;
    while !rest.is_empty() && Instant::now() < until {
        let end = (STEP.min(rest.len())..=rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        let (step, after) = rest.split_at(end);
        rest = after;
        queue.push_back(StrTendril::from(step));
        // It pauses where a browser would run a script.
        while !queue.is_empty() {
            let _ = tokenizer.feed(&queue);
        }
    }
    let is_whole = rest.is_empty();
    if is_whole {
        tokenizer.end();
    }
    (tokenizer.sink.page.into_inner().finish(), is_whole)
}

struct Reader {
    page: RefCell<Page>,
}

/// What is between the last word and the next one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Line,
    Paragraph,
}

struct Page {
    base: Url,
    title: String,
    text: String,
    gap: Gap,
    in_title: bool,
    /// Depth of `pre`, where white space counts.
    verbatim: usize,
    /// The element whose content is not shown, and how deep in elements of its name we are.
    hidden: Option<(String, usize)>,
    /// Where the open link leads, and where in the text it began.
    link: Option<(String, usize)>,
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut page = self.page.borrow_mut();
        match token {
            Token::CharacterTokens(text) => page.say(&text),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                page.open(&tag);
                return raw(&tag.name);
            }
            Token::TagToken(tag) => page.close(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// Elements whose content is no markup.
fn raw(name: &str) -> TokenSinkResult<()> {
    match name {
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => TokenSinkResult::RawData(RawKind::Rawtext),
        "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
        "plaintext" => TokenSinkResult::Plaintext,
        _ => TokenSinkResult::Continue,
    }
}

fn is_hidden(name: &str) -> bool {
    matches!(name, "script" | "style" | "template" | "svg" | "iframe" | "noembed" | "noframes")
}

/// Only foreign elements may be their own end.
fn is_empty(tag: &Tag) -> bool {
    tag.self_closing && &*tag.name == "svg"
}

fn gap_around(name: &str) -> Gap {
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "dl" | "table" | "pre" | "blockquote"
        | "section" | "article" | "header" | "footer" | "nav" | "aside" | "main" | "figure" | "form" | "hr"
        | "details" => Gap::Paragraph,
        "div" | "li" | "dt" | "dd" | "tr" | "br" | "option" | "figcaption" | "summary" | "caption" | "fieldset"
        | "legend" | "address" | "body" | "head" => Gap::Line,
        "td" | "th" | "button" | "label" => Gap::Space,
        _ => Gap::None,
    }
}

impl Page {
    fn new(base: Url) -> Self {
        Self {
            base,
            title: String::new(),
            text: String::new(),
            gap: Gap::None,
            in_title: false,
            verbatim: 0,
            hidden: None,
            link: None,
        }
    }

    fn open(&mut self, tag: &Tag) {
        let name: &str = &tag.name;
        if let Some((hidden, depth)) = &mut self.hidden {
            *depth += usize::from(hidden == name && !is_empty(tag));
            return;
        }
        if is_hidden(name) {
            self.hidden = (!is_empty(tag)).then(|| (name.to_owned(), 1));
            return;
        }
        self.gap = self.gap.max(gap_around(name));
        match name {
            "title" => self.in_title = self.title.is_empty() && self.text.is_empty(),
            "pre" => self.verbatim += 1,
            "li" => self.say("- "),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.say("# "),
            "td" | "th" if !self.text.is_empty() && self.gap < Gap::Line => self.say(" | "),
            "img" => {
                if let Some(alt) = attribute(tag, "alt").filter(|alt| !alt.trim().is_empty()) {
                    self.say(&format!("[image: {}]", alt.trim()));
                }
            }
            "a" => {
                let target = attribute(tag, "href").and_then(|href| self.target(href));
                self.link = target.map(|target| (target, self.text.len()));
            }
            _ => {}
        }
    }

    fn close(&mut self, tag: &Tag) {
        let name: &str = &tag.name;
        if let Some((hidden, depth)) = &mut self.hidden {
            *depth -= usize::from(hidden == name);
            if *depth == 0 {
                self.hidden = None;
            }
            return;
        }
        match name {
            "title" => self.in_title = false,
            "pre" => self.verbatim = self.verbatim.saturating_sub(1),
            "a" => {
                let link = self.link.take().filter(|(_, begin)| !self.text[*begin..].trim().is_empty());
                if let Some((target, _)) = link {
                    self.text.push_str(&format!(" ({target})"));
                }
            }
            _ => {}
        }
        self.gap = self.gap.max(gap_around(name));
    }

    /// Where a link leads, if that is another page.
    fn target(&self, href: &str) -> Option<String> {
        let href = href.trim();
        let url = (!href.is_empty() && !href.starts_with('#')).then(|| self.base.join(href).ok()).flatten()?;
        let is_page = matches!(url.scheme(), "http" | "https") && url.as_str().len() <= LINK;
        is_page.then(|| url.into())
    }

    fn say(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        if self.in_title {
            self.title.push_str(text);
            return;
        }
        if self.verbatim > 0 {
            self.fill_gap();
            self.text.push_str(text);
            return;
        }
        for word in text.split_inclusive(|c: char| c.is_whitespace()) {
            let trimmed = word.trim_end_matches(|c: char| c.is_whitespace());
            if !trimmed.is_empty() {
                self.fill_gap();
                self.text.push_str(trimmed);
            }
            if trimmed.len() < word.len() {
                self.gap = self.gap.max(Gap::Space);
            }
        }
    }

    fn fill_gap(&mut self) {
        let gap = match self.gap {
            _ if self.text.is_empty() => "",
            Gap::None => "",
            Gap::Space => " ",
            Gap::Line => "\n",
            Gap::Paragraph => "\n\n",
        };
        self.text.push_str(gap);
        self.gap = Gap::None;
    }

    fn finish(self) -> String {
        let title = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        match title.is_empty() {
            true => self.text,
            false => format!("{title}\n\n{}", self.text),
        }
    }
}

fn attribute<'t>(tag: &'t Tag, name: &str) -> Option<&'t str> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        to_text(html, &Url::parse("https://host/dir/page").expect("url")).0
    }

    #[test]
    fn a_page_is_read_as_a_person_would() {
        let html = "<!doctype html><html><head><title>The\n page</title><style>p{}</style><script>let a = '<p>no</p>';</script>
            </head><body><h1>Big</h1><p>One  <b>bold</b>\n word &amp; more.<br>New line.</p><ul><li>a<li>b</ul>
            <table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table><pre>x\n  y</pre><img src=i alt='A cat'></body>";
        let read =
            "The page\n\n# Big\n\nOne bold word & more.\nNew line.\n\n- a\n- b\n\n1 | 2\n3\n\nx\n  y\n\n[image: A cat]";
        assert_eq!(text(html), read);
    }

    #[test]
    fn links_keep_where_they_lead() {
        assert_eq!(text("<a href='../x?y=1'>There</a>, <a href='#p'>here</a>"), "There (https://host/x?y=1), here");
        assert_eq!(text("<a href='javascript:alert(1)'>run</a> <a href=/><img src=a></a>"), "run");
    }

    #[test]
    fn what_no_reader_sees_is_left_out() {
        assert_eq!(text("a<svg><text>b</text><svg></svg>c</svg>d<template><p>e</template><!-- f -->g"), "adg");
        assert_eq!(text("a<script/>let b = 1;</script>c<svg/>d"), "acd");
        assert_eq!(text("a<script>if (1 < 2) { '</b>' }</script> b<iframe><p>x</iframe>"), "a b");
    }

    #[test]
    fn a_text_longer_than_a_step_is_read_whole() {
        let html = "<p>ä€😀 word</p>".repeat(5000);
        assert_eq!(text(&html).matches("ä€😀 word").count(), 5000);
    }

    #[test]
    fn a_hostile_page_ends_in_time() {
        let begun = Instant::now();
        for tag in ["div", "a href=x", "ul><li", "table><tr><td", "b", "svg", "pre", "h1"] {
            let (_, is_whole) = to_text(&format!("<{tag}>").repeat(5_000), &Url::parse("http://h/").expect("url"));
            assert!(is_whole, "{tag}");
        }
        let attributes: String = (0..30_000).map(|n| format!(" a{n}=b")).collect();
        text(&format!("<p{attributes}>x"));
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}
