//! Ranklet's own object in `config.json`: the calibration of the model, and the names of its files.

use super::ModelFiles;
use crate::documents::JsonValue;
use crate::error::{Result, config};

const CONFIG: &str = "config.json";

impl ModelFiles {
    /// Sets a field of the object `ranklet` in `config.json`: `calibration`, or `files`, the names of all files of the
    /// model. All other fields stay, in their order.
    ///
    /// # Errors
    /// `config` if `config.json` is missing or not a JSON object.
    pub fn set_ranklet_field(&mut self, name: &str, value: JsonValue) -> Result<()> {
        let invalid = || config("config.json is not a JSON object");
        let bytes = self.get(CONFIG).ok_or_else(|| config("config.json is missing"))?;
        let Ok(JsonValue::Object(mut fields)) = serde_json::from_slice(bytes) else { return Err(invalid()) };
        let mut ranklet = match fields.iter().find(|(name, _)| name == "ranklet") {
            Some((_, JsonValue::Object(ranklet))) => ranklet.clone(),
            _ => Vec::new(),
        };
        set(&mut ranklet, name, value);
        set(&mut fields, "ranklet", JsonValue::Object(ranklet));
        let mut text = serde_json::to_vec_pretty(&JsonValue::Object(fields)).map_err(|_| invalid())?;
        text.push(b'\n');
        self.insert(CONFIG, text);
        Ok(())
    }
}

fn set(fields: &mut Vec<(String, JsonValue)>, name: &str, value: JsonValue) {
    match fields.iter_mut().find(|(field, _)| field == name) {
        Some((_, old)) => *old = value,
        None => fields.push((name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_fields_and_their_order_stay() {
        let mut files = ModelFiles::new();
        assert!(files.set_ranklet_field("files", JsonValue::Null).is_err());
        let calibration = r#"{"scale": 0.41, "offset": -1.2}"#;
        for (before, after) in [
            (
                r#"{"z": 1e-12, "a": [null]}"#.to_owned(),
                r#"{"z": 1e-12, "a": [null], "ranklet": {"files": ["x"]}}"#,
            ),
            (
                format!(r#"{{"ranklet": {{"files": [], "calibration": {calibration}}}, "a": 1}}"#),
                r#"{"ranklet": {"files": ["x"], "calibration": {"scale": 0.41, "offset": -1.2}}, "a": 1}"#,
            ),
            (r#"{"ranklet": 7}"#.to_owned(), r#"{"ranklet": {"files": ["x"]}}"#),
        ] {
            files.insert(CONFIG, before.into_bytes());
            files.set_ranklet_field("files", serde_json::json!(["x"]).into()).unwrap();
            let read = |bytes: &[u8]| serde_json::from_slice::<JsonValue>(bytes).unwrap();
            assert_eq!(read(files.get(CONFIG).unwrap()), read(after.as_bytes()));
        }
        files.insert(CONFIG, &b"[]"[..]);
        assert!(files.set_ranklet_field("files", JsonValue::Null).is_err());
    }
}
