//! Ratios with both their parts, over rounds in which ours and the reference took turns.

use serde::Serialize;
use serde_json::{Value, json};

/// Which side of its limit a ratio should be on.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

/// One figure: ours divided by the reference, round by round.
#[derive(Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: Vec<f64>,
    pub(crate) reference: Vec<f64>,
    pub(crate) wanted: Wanted,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, wanted: Wanted) -> Self {
        Self { name: name.into(), unit, ours: Vec::new(), reference: Vec::new(), wanted }
    }

    pub(crate) fn push(&mut self, ours: f64, reference: f64) {
        self.ours.push(ours);
        self.reference.push(reference);
    }

    /// Quartiles of the ratios of the rounds: a floor is missed only when all three are on its wrong side.
    fn quartiles(&self) -> [f64; 3] {
        let ratios: Vec<f64> =
            self.ours.iter().zip(&self.reference).map(|(ours, reference)| ours / reference).collect();
        [0.25, 0.5, 0.75].map(|q| quantile(&ratios, q))
    }

    fn verdict(&self) -> &'static str {
        let holds = self.quartiles().map(|ratio| match self.wanted {
            Wanted::AtLeast(floor) => ratio >= floor,
            Wanted::AtMost(ceiling) => ratio <= ceiling,
        });
        match holds {
            [true, true, true] => "holds",
            [false, false, false] => "MISSED",
            _ => "on the line",
        }
    }

    pub(crate) fn print(&self) {
        let [low, median, high] = self.quartiles();
        let limit = match self.wanted {
            Wanted::AtLeast(floor) => format!(">= {floor}"),
            Wanted::AtMost(ceiling) => format!("<= {ceiling}"),
        };
        let (ours, reference, unit) = (quantile(&self.ours, 0.5), quantile(&self.reference, 0.5), self.unit);
        println!(
            "{:<40} {median:>7.3}  [{low:.3} .. {high:.3}]  wanted {limit:<8} {:<11}  ours {ours:.2} {unit}, reference {reference:.2} {unit}, {} rounds",
            self.name,
            self.verdict(),
            self.ours.len()
        );
    }

    pub(crate) fn json(&self) -> Value {
        let [low, median, high] = self.quartiles();
        json!({
            "figure": self, "ratio": { "q25": low, "median": median, "q75": high }, "verdict": self.verdict(),
        })
    }
}

/// Linear interpolation between the two nearest of the sorted values; 0 where there are none.
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = q * last as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    sorted[below] + (sorted[(below + 1).min(last)] - sorted[below]) * part
}
