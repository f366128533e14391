//! Whether a payload satisfies a condition, and if not, what of it fails.

use std::cmp::Ordering;
use std::fmt;
use std::vec::IntoIter;

use payload::{Container, NotJson, Pointers, Scanner, Step, Trail};

use crate::condition::Condition;
use crate::value::Found;

/// What of a condition does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// Where it stands in the configuration, as a JSON pointer.
    at: String,
    why: String,
}

/// What was found at a condition's pointer.
#[derive(Debug, Clone, Copy, Default)]
struct Sight {
    is_there: bool,
    /// One of the values passes all the operators.
    passes: bool,
}

/// Judges a payload. It is looked through once for every so many conditions as pointers can be followed together.
///
/// # Errors
/// When the payload is not JSON where it matters.
pub(crate) fn judge(condition: &Condition, payload: &str) -> Result<Result<(), Failed>, NotJson> {
    let mut conditions = Vec::new();
    with_pointers(condition, &mut conditions);
    let mut sights = vec![Sight::default(); conditions.len()];
    for (conditions, sights) in conditions.chunks(Pointers::MAX).zip(sights.chunks_mut(Pointers::MAX)) {
        let pointers = conditions.iter().filter_map(|condition| condition.pointer.clone()).collect();
        let Some(pointers) = Pointers::new(pointers) else { continue };
        let start = pointers.after(0);
        let mut search = Search {
            scanner: Scanner::new(payload),
            pointers,
            conditions,
            sights,
        };
        search.value(start)?;
    }
    Ok(holds(condition, "/deliver_if", &mut sights.into_iter()))
}

/// The conditions that look at the payload, in the order in which `holds` asks for what they have seen.
fn with_pointers<'a>(condition: &'a Condition, all: &mut Vec<&'a Condition>) {
    if condition.pointer.is_some() {
        all.push(condition);
    }
    condition.within().for_each(|condition| with_pointers(condition, all));
}

struct Search<'a> {
    scanner: Scanner<'a>,
    pointers: Pointers,
    conditions: &'a [&'a Condition],
    sights: &'a mut [Sight],
}

impl Search<'_> {
    /// Passes a value, looking for what pointers name in it. It goes as deep as pointers do.
    fn value(&mut self, trail: Trail) -> Result<(), NotJson> {
        self.scanner.pass_space()?;
        let start = self.scanner.at();
        let container = if self.pointers.lead_on(trail) {
            self.scanner.enter()?
        } else {
            None
        };
        match container {
            Some(container) => self.members(container, trail)?,
            None => {
                self.scanner.value()?;
            }
        }
        for number in self.pointers.ending(trail) {
            if let (Some(sight), Some(condition)) = (self.sights.get_mut(number), self.conditions.get(number)) {
                sight.is_there = true;
                sight.passes = sight.passes || passes(condition, Found(self.scanner.between(start..self.scanner.at())));
            }
        }
        Ok(())
    }

    fn members(&mut self, container: Container, trail: Trail) -> Result<(), NotJson> {
        let mut position = 0;
        while self.scanner.next(container, position == 0)? {
            let step = match container {
                Container::Object => Step::Member(self.scanner.key()?),
                Container::List => Step::Element(position),
            };
            self.value(self.pointers.step(trail, step))?;
            position += 1;
        }
        Ok(())
    }
}

/// Whether a value passes all the operators of a condition.
fn passes(condition: &Condition, found: Found<'_>) -> bool {
    let order =
        |number: &Option<_>, fits: fn(Ordering) -> bool| number.as_ref().is_none_or(|number| found.compare(number).is_some_and(fits));
    let text = |text: &Option<String>, fits: fn(&str, &str) -> bool| {
        text.as_ref()
            .is_none_or(|text| found.string().is_some_and(|string| fits(&string, text)))
    };
    condition.equals.as_ref().is_none_or(|wanted| found.equals(wanted))
        && condition.not_equals.as_ref().is_none_or(|unwanted| !found.equals(unwanted))
        && condition
            .one_of
            .as_ref()
            .is_none_or(|wanted| wanted.iter().any(|wanted| found.equals(wanted)))
        && order(&condition.less_than, Ordering::is_lt)
        && order(&condition.at_most, Ordering::is_le)
        && order(&condition.greater_than, Ordering::is_gt)
        && order(&condition.at_least, Ordering::is_ge)
        && text(&condition.contains, |string, text| string.contains(text))
        && text(&condition.starts_with, |string, text| string.starts_with(text))
        && text(&condition.ends_with, |string, text| string.ends_with(text))
}

/// Whether a condition holds. It takes from the sights what belongs to it and to all conditions within, whether they are
/// needed or not, so that the next one finds its own.
fn holds(condition: &Condition, at: &str, sights: &mut IntoIter<Sight>) -> Result<(), Failed> {
    let failed = |why: String| Failed { at: at.to_owned(), why };
    let own = match &condition.pointer {
        None => Ok(()),
        Some(pointer) => {
            let sight = sights.next().unwrap_or_default();
            let pointer = pointer.as_str();
            match (sight, condition.exists) {
                (Sight { is_there: true, .. }, Some(false)) => Err(failed(format!("there is something at {pointer}"))),
                (Sight { is_there: false, .. }, Some(false)) if !condition.asks_for_a_value() => Ok(()),
                (Sight { is_there: false, .. }, _) => Err(failed(format!("there is nothing at {pointer}"))),
                (Sight { passes: false, .. }, _) => Err(failed(format!("what stands at {pointer} does not fit"))),
                _ => Ok(()),
            }
        }
    };
    let mut each = |conditions: &Option<Vec<Condition>>, name: &str| -> Vec<Result<(), Failed>> {
        let numbered = conditions.iter().flatten().enumerate();
        numbered
            .map(|(number, condition)| holds(condition, &format!("{at}/{name}/{number}"), sights))
            .collect()
    };
    let all = each(&condition.all, "all");
    let any = each(&condition.any, "any");
    let not = condition.not.as_ref().map(|not| holds(not, at, sights));
    own?;
    all.into_iter().collect::<Result<(), Failed>>()?;
    if !any.is_empty() && any.iter().all(Result::is_err) {
        return Err(failed("none of any holds".to_owned()));
    }
    if not.is_some_and(|not| not.is_ok()) {
        return Err(failed("what is under not holds".to_owned()));
    }
    Ok(())
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (plugin_config{})", self.why, self.at)
    }
}
