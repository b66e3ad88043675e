//! A text with a maximum length, counted while it is written.

/// A text that is written up to a maximum length. What is written beyond it is dropped.
#[derive(Debug)]
pub(super) struct BoundedText {
    text: String,
    max_bytes: usize,
    is_over: bool,
}

impl BoundedText {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { text: String::new(), max_bytes, is_over: false }
    }

    pub(super) fn push_str(&mut self, part: &str) {
        self.is_over |= part.len() > self.max_bytes - self.text.len();
        if !self.is_over {
            self.text.push_str(part);
        }
    }

    /// Ends the line before, if there is one.
    pub(super) fn start_line(&mut self) {
        if !self.text.is_empty() {
            self.push_str("\n");
        }
    }

    /// Returns whether the text is longer than its limit, so that its end was dropped.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns the text; `None` if something was dropped.
    pub(super) fn finish(self) -> Option<String> {
        (!self.is_over).then_some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::BoundedText;

    #[test]
    fn a_text_has_its_maximum_length_and_no_more() {
        let written = |parts: &[&str]| {
            let mut text = BoundedText::new(5);
            parts.iter().for_each(|part| text.push_str(part));
            text.finish()
        };
        assert_eq!(written(&["ab", "cde", ""]).as_deref(), Some("abcde"));
        assert_eq!(written(&["ab", "cdef"]), None);
        // A short part after one that was dropped does not make a text with a gap.
        assert_eq!(written(&["ab", "cdef", "g"]), None);
    }
}
