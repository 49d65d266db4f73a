//! Reading JSON that other people's programs write.

use std::borrow::Cow;

use serde_json::Value;

/// A body without what JSON forbids within texts: bytes that are not UTF-8 become `\u{fffd}`, and
/// control characters become spaces.
///
/// So a name that was stored in another encoding spoils that name, and not the whole response.
#[must_use]
pub fn cleaned(body: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(body);
    let is_control = |c: char| c < ' ';
    if text.contains(is_control) {
        return text.replace(is_control, " ").into();
    }
    text
}

/// A text or a number as text, without surrounding space; `None` if it is blank or any
/// other kind of value.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// Any JSON value, a few levels deep, for the property tests of the readers.
#[cfg(test)]
pub(crate) fn any_value() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{0,8}[-+Z0-9:]{0,6}".prop_map(Value::from),
    ];
    let names = "(data|id|id_type|value|status|desc|error|errorCode|errorList|[a-z]{0,5})";
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(names, inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::cleaned;

    #[test]
    fn what_json_forbids_is_replaced_and_all_else_is_kept() {
        for (body, text) in [
            (&b"[\"caf\xe9\"]"[..], "[\"caf\u{fffd}\"]"),
            (b"[\n\t\"a\x01b\"\r\n]", "[  \"a b\"  ]"),
            ("[\"café\u{7f}\"]".as_bytes(), "[\"café\u{7f}\"]"),
        ] {
            assert_eq!(cleaned(body), text);
        }
    }
}
