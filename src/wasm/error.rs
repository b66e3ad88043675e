//! Errors as JavaScript has them: a real `Error` with a `code`.

use wasm_bindgen::JsValue;

/// The result of a binding.
pub(super) type JsResult<T> = Result<T, JsFailure>;

/// An error on its way out.
pub struct JsFailure(crate::Error);

impl From<crate::Error> for JsFailure {
    fn from(error: crate::Error) -> Self {
        Self(error)
    }
}

impl From<JsFailure> for JsValue {
    fn from(failure: JsFailure) -> Self {
        let error = js_sys::Error::new(failure.0.context());
        // Setting a property of an object just made cannot fail; if it did, the error would only lack its code.
        let _ = js_sys::Reflect::set(&error, &"code".into(), &failure.0.kind().code().into());
        error.into()
    }
}
