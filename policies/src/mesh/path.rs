//! Where something lies in a token: `$.realm_access.roles`,
//! `$['https://example.org/roles']`.

use serde_json::{Map, Value};

/// Names to follow from the token's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<String>);

const MAX_STEPS: usize = 16;

impl Path {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, behind) = match rest.strip_prefix("['") {
                Some(inside) => inside.split_once("']")?,
                None => {
                    let inside = rest.strip_prefix('.')?;
                    let end = inside.find(['.', '[']).unwrap_or(inside.len());
                    inside.split_at_checked(end)?
                }
            };
            if step.is_empty() || steps.len() == MAX_STEPS {
                return None;
            }
            steps.push(step.to_owned());
            rest = behind;
        }
        (!steps.is_empty()).then_some(Self(steps))
    }

    pub(super) fn find<'t>(&self, token: &'t Map<String, Value>) -> Option<&'t Value> {
        let mut steps = self.0.iter();
        let mut value = token.get(steps.next()?)?;
        for step in steps {
            value = value.as_object()?.get(step)?;
        }
        Some(value)
    }
}
