//! Reading JSON that other people's programs write.

use serde_json::Value;

/// A text or a number as text, without the space around it; blank is as good as
/// absent, and so is any other kind of value.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}
