//! Converts errors to JavaScript: an `Error` with a `code`, and with an `item` if it is about some documents or pairs.

use wasm_bindgen::JsValue;

use crate::error::{Error, ErrorItem};

/// The result of a binding.
pub(super) type JsResult<T> = Result<T, JsFailure>;

/// An error that a binding throws.
pub struct JsFailure(Error);

impl From<Error> for JsFailure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<JsFailure> for JsValue {
    /// Makes an `Error` with a `code`. If the error is about documents or pairs of the call, it also has an `item`:
    /// `{ kind: "document" | "pair", start, end }`, with an exclusive end. The message does not name the item.
    fn from(JsFailure(error): JsFailure) -> Self {
        let js_error = js_sys::Error::new(error.context());
        set(&js_error, "code", error.kind().code().into());
        if let Some(ErrorItem { kind, range }) = error.item() {
            let item = js_sys::Object::new();
            set(&item, "kind", kind.name().into());
            set(&item, "start", (range.start as f64).into());
            set(&item, "end", (range.end as f64).into());
            set(&js_error, "item", item.into());
        }
        js_error.into()
    }
}

/// Sets a property of an object that was just made, which cannot fail.
fn set(object: &JsValue, name: &str, value: JsValue) {
    let _ = js_sys::Reflect::set(object, &name.into(), &value);
}
