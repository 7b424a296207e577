//! Which form of answer a client wants, by its `Accept` header.

/// The forms that a GraphQL answer can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/json`: every well-formed request is answered 200.
    Json,
    /// `application/graphql-response+json`: the status tells a request error from an answer.
    GraphqlResponse,
    /// `text/event-stream`: graphql-sse.
    Events,
}

impl Form {
    const ALL: [Self; 3] = [Self::Json, Self::GraphqlResponse, Self::Events];

    fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::GraphqlResponse => ("application", "graphql-response+json"),
            Self::Events => ("text", "event-stream"),
        }
    }

    /// The `Content-Type` of an answer in this form.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Events => "text/event-stream",
        }
    }
}

/// One entry of an `Accept` header.
struct Range {
    kind: String,
    subtype: String,
    quality: f32,
}

/// How well a range names a form: exactly, by its first half, or not at all.
fn fit(range: &Range, form: Form) -> Option<u8> {
    let (kind, subtype) = form.media_type();
    match (range.kind.as_str(), range.subtype.as_str()) {
        (k, s) if k == kind && s == subtype => Some(2),
        // An event stream is for those who ask for it by name.
        _ if form == Form::Events => None,
        (k, "*") if k == kind => Some(1),
        ("*", "*") => Some(0),
        _ => None,
    }
}

/// The form that a client likes best; among equals what it names exactly, then what it names first, then plain JSON.
/// `None`: none that we have. Without a header: plain JSON.
pub(super) fn choose(accept: Option<&str>) -> Option<Form> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Some(Form::Json) };
    let ranges: Vec<Range> = accept.split(',').filter_map(read).collect();
    let offers = Form::ALL.into_iter().filter_map(|form| {
        let fits =
            ranges.iter().enumerate().filter_map(|(place, range)| Some((fit(range, form)?, place, range.quality)));
        let (exactness, place, quality) = fits.max_by_key(|(exactness, place, _)| (*exactness, usize::MAX - place))?;
        (quality > 0.0).then_some((form, quality, exactness, place))
    });
    let best = offers.reduce(|best, offer| {
        let better = offer.1.total_cmp(&best.1).then(offer.2.cmp(&best.2)).then(best.3.cmp(&offer.3));
        if better.is_gt() { offer } else { best }
    });
    best.map(|(form, ..)| form)
}

fn read(entry: &str) -> Option<Range> {
    let mut parts = entry.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality = quality.map_or(Some(1.0), |q| q.trim().parse().ok().filter(|q| (0.0..=1.0).contains(q)))?;
    Some(Range { kind: kind.to_ascii_lowercase(), subtype: subtype.to_ascii_lowercase(), quality })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_a_client_likes_best_is_chosen() {
        let cases = [
            (None, Some(Form::Json)),
            (Some(""), Some(Form::Json)),
            (Some("*/*"), Some(Form::Json)),
            (Some("application/*"), Some(Form::Json)),
            (Some("application/json"), Some(Form::Json)),
            (Some("application/graphql-response+json"), Some(Form::GraphqlResponse)),
            (Some("application/graphql-response+json, application/json;q=0.9"), Some(Form::GraphqlResponse)),
            (Some("application/json, application/graphql-response+json"), Some(Form::Json)),
            (
                Some("application/json; charset=utf-8;q=0.5, application/graphql-response+json"),
                Some(Form::GraphqlResponse),
            ),
            (Some("application/json;q=0, */*"), Some(Form::GraphqlResponse)),
            (Some("text/event-stream"), Some(Form::Events)),
            (Some("text/event-stream, */*"), Some(Form::Events)),
            (Some("text/*"), None),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
        ];
        for (accept, expected) in cases {
            assert_eq!(choose(accept), expected, "{accept:?}");
        }
    }
}
