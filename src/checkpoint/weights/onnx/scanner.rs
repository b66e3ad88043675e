//! Reads the structure of an ONNX file: the graph without the data of its tensors, which it skips.

use std::ops::Range;

use super::graph::Graph;
use super::graph_builder::{Action, GraphBuilder, Message};
use super::protobuf::{Field, FieldValue, MAX_FIELD_HEADER, malformed};
use crate::checkpoint::weights::MAX_PIECE_BYTES;
use crate::error::Result;

/// Bytes that are requested after data has been skipped: the next fields are small.
const FIRST_PIECE_BYTES: u64 = 4096;
/// Max size of a text that is read.
const MAX_TEXT_BYTES: u64 = 1 << 16;

/// A reader of a file from its beginning to its end, without the data of tensors.
#[derive(Debug)]
pub(super) struct Scanner {
    length: u64,
    /// Position of the next field.
    position: u64,
    /// Bytes from `window_start` on.
    window: Vec<u8>,
    window_start: u64,
    /// Number of bytes to request next.
    piece_bytes: u64,
    /// The open messages, outermost first, and the positions of their ends.
    open: Vec<(Message, u64)>,
    builder: GraphBuilder,
}

/// The result of a step.
enum Step {
    Read,
    NeedsBytes,
}

impl Scanner {
    /// Creates a scanner for a file of `length` bytes.
    pub(super) fn new(length: u64) -> Self {
        Self {
            length,
            position: 0,
            window: Vec::new(),
            window_start: 0,
            piece_bytes: FIRST_PIECE_BYTES,
            open: vec![(Message::Model, length)],
            builder: GraphBuilder::default(),
        }
    }

    /// Returns the bytes to push next; `None` at the end of the file.
    pub(super) fn wanted(&self) -> Option<Range<u64>> {
        let start = self.window_end();
        let end = self.length.min(start.saturating_add(self.piece_bytes));
        (!self.open.is_empty() && start < end).then_some(start..end)
    }

    /// Takes the wanted bytes, or a prefix of them. Returns the graph at the end of the file.
    ///
    /// # Errors
    /// `weights` if the file is malformed; `unsupported` if the graph is too large.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Option<Graph>> {
        self.window.extend_from_slice(piece);
        while !self.open.is_empty() {
            if let Step::NeedsBytes = self.step()? {
                if self.window_end() >= self.length {
                    return Err(malformed("the file ends within a message"));
                }
                self.drop_read_bytes();
                return Ok(None);
            }
        }
        self.window = Vec::new();
        std::mem::take(&mut self.builder).finish().map(Some)
    }

    fn window_end(&self) -> u64 {
        self.window_start + self.window.len() as u64
    }

    /// Removes the bytes before the position from the window.
    fn drop_read_bytes(&mut self) {
        if self.position > self.window_end() {
            self.window.clear();
            self.window_start = self.position;
            self.piece_bytes = FIRST_PIECE_BYTES;
        } else {
            self.window.drain(..(self.position - self.window_start) as usize);
            self.window_start = self.position;
            self.piece_bytes = (2 * self.piece_bytes).min(MAX_PIECE_BYTES);
        }
    }

    /// Reads a field, or closes a message at its end.
    fn step(&mut self) -> Result<Step> {
        let Some(&(message, end)) = self.open.last() else { return Ok(Step::Read) };
        if self.position == end {
            self.open.pop();
            self.builder.close(message)?;
            return Ok(Step::Read);
        }
        let start = self.position.saturating_sub(self.window_start).min(self.window.len() as u64) as usize;
        let in_message = usize::try_from(end - self.position).unwrap_or(usize::MAX);
        let bytes = &self.window[start..];
        let bytes = &bytes[..bytes.len().min(in_message)];
        if bytes.len() < in_message.min(MAX_FIELD_HEADER) {
            return Ok(Step::NeedsBytes);
        }
        let field = Field::read(bytes)?;
        let content = self.position + field.header as u64;
        let range = match field.value {
            FieldValue::Bytes(length) => content..content.saturating_add(length),
            _ => self.position..content,
        };
        if range.end > end {
            return Err(malformed(&format!(
                "a field of {} bytes ends after its message",
                range.end - range.start
            )));
        }
        match self.builder.action(message, &field) {
            Action::Skip => self.position = range.end,
            Action::Data => {
                self.builder.data(&field, range.clone())?;
                self.position = range.end;
            }
            Action::Open(inner) => {
                self.builder.open(inner)?;
                self.open.push((inner, range.end));
                self.position = content;
            }
            Action::Text => {
                let length = range.end - content;
                if length > MAX_TEXT_BYTES {
                    if message == Message::Attribute {
                        // The attributes that are read have few numbers.
                        self.position = range.end;
                        return Ok(Step::Read);
                    }
                    return Err(malformed(&format!("a name has {length} bytes")));
                }
                let Some(text) = bytes.get(field.header..field.header + length as usize) else {
                    return Ok(Step::NeedsBytes);
                };
                self.builder.text(message, field.number, text)?;
                self.position = range.end;
            }
        }
        Ok(Step::Read)
    }
}
