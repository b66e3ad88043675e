//! Detects content that is not the file itself: Git LFS pointers, and pages that a server sent instead of a file.

use super::model_layout::{error_kind, layout};
use crate::error::{Error, Result};

/// The first bytes of a Git LFS pointer. No file of a model begins with them.
const LFS_POINTER: &[u8] = b"version https:";

/// Checks that the content of a file, or its first bytes, is not that of a replacement.
///
/// # Errors
/// The kind of the file's other errors, with the way to get the file itself.
pub(super) fn check_content(name: &str, bytes: &[u8]) -> Result<()> {
    let refused = |reason: &str| Err(Error::new(error_kind(name), format!("{name} is {reason}")));
    if bytes.starts_with(LFS_POINTER) {
        return refused(
            "a Git LFS pointer, not the file itself: run `git lfs pull` in the folder of the model, or download the \
             file from its page",
        );
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins_with = |page: &String| {
        text.get(..page.len()).is_some_and(|start| start.eq_ignore_ascii_case(page.as_bytes()))
    };
    if layout().pages.iter().any(begins_with) {
        return refused(
            "an HTML page, not the file itself: the server answered with a page, such as a login or an error; check \
             the address and the access to the model, and download the file again",
        );
    }
    Ok(())
}
