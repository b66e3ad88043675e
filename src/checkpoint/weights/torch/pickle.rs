//! A restricted reader for Python pickles: just enough for a dictionary of tensors.
//!
//! A pickle is a program for a stack machine that can call any function of any module. This machine accepts only the
//! names in [`Global`] and never calls anything; every other name is an error. All values are in flat lists and refer
//! to each other by index, so hostile nesting costs neither stack nor copies.

use super::byte_reader::ByteReader;
use crate::error::{Error, Result, unsupported, weights};
use safetensors::Dtype;

/// A value on the stack.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    None,
    Bool,
    Int(i64),
    Text(&'a str),
    Tuple(Tuple),
    /// Index into [`Pickle`]'s dictionaries.
    Dict(usize),
    Global(Global),
    Storage(Storage<'a>),
    /// Index into [`Pickle`]'s tensors.
    Tensor(usize),
}

/// The classes and functions that a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

/// A range in the list of all tuples' items.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuple {
    start: usize,
    length: usize,
}

/// A storage: an archive entry with numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage<'a> {
    pub(super) dtype: Dtype,
    /// The storage is in the entry `data/KEY`.
    pub(super) key: &'a str,
    pub(super) elements: i64,
}

/// A tensor as a view of a storage, not checked yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct TensorRef<'a> {
    pub(super) storage: Storage<'a>,
    pub(super) offset: i64,
    pub(super) shape: Tuple,
    pub(super) strides: Tuple,
}

/// The machine's state. After it has run, this holds all values it made.
#[derive(Debug, Default)]
pub(super) struct Pickle<'a> {
    stack: Vec<Value<'a>>,
    /// Stack heights at which marks were set.
    marks: Vec<usize>,
    memo: Vec<Value<'a>>,
    items: Vec<Value<'a>>,
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    tensors: Vec<TensorRef<'a>>,
}

impl<'a> Pickle<'a> {
    /// Runs a pickle of protocol 2.
    ///
    /// # Errors
    /// `weights` for a malformed pickle or one with an instruction that this machine lacks, `unsupported` for another
    /// protocol.
    pub(super) fn run(bytes: &'a [u8]) -> Result<(Self, Value<'a>)> {
        let mut reader = ByteReader::new(bytes, "data.pkl");
        let mut pickle = Self::default();
        loop {
            match reader.u8()? {
                b'.' => return pickle.pop().map(|value| (pickle, value)),
                opcode => pickle.step(opcode, &mut reader)?,
            }
        }
    }

    /// Returns the items of a tuple.
    pub(super) fn items(&self, tuple: Tuple) -> &[Value<'a>] {
        self.items.get(tuple.start..tuple.start + tuple.length).unwrap_or_default()
    }

    /// Returns the items of a dictionary in insertion order.
    pub(super) fn dict(&self, index: usize) -> &[(Value<'a>, Value<'a>)] {
        self.dicts.get(index).map_or(&[], Vec::as_slice)
    }

    /// Returns a tensor.
    pub(super) fn tensor(&self, index: usize) -> Option<TensorRef<'a>> {
        self.tensors.get(index).copied()
    }

    fn step(&mut self, opcode: u8, reader: &mut ByteReader<'a>) -> Result<()> {
        match opcode {
            b'\x80' => check_protocol(reader.u8()?)?,
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.stack.push(Value::None),
            b'\x88' | b'\x89' => self.stack.push(Value::Bool),
            b'K' => self.stack.push(Value::Int(reader.u8()?.into())),
            b'M' => self.stack.push(Value::Int(reader.u16()?.into())),
            b'J' => self.stack.push(Value::Int(reader.u32()?.cast_signed().into())),
            b'\x8a' => self.stack.push(Value::Int(long(reader)?)),
            b'X' => self.stack.push(Value::Text(text(reader)?)),
            b')' => self.push_tuple(self.stack.len()),
            b'\x85' => self.push_tuple(self.height(1)?),
            b'\x86' => self.push_tuple(self.height(2)?),
            b'\x87' => self.push_tuple(self.height(3)?),
            b't' => {
                let start = self.mark()?;
                self.push_tuple(start);
            }
            b'}' => self.push_dict(),
            b's' => self.set_items(self.height(2)?)?,
            b'u' => {
                let start = self.mark()?;
                self.set_items(start)?;
            }
            b'q' => self.put(reader.u8()?.into())?,
            b'r' => self.put(reader.u32()? as usize)?,
            b'h' => self.get(reader.u8()?.into())?,
            b'j' => self.get(reader.u32()? as usize)?,
            b'c' => self.stack.push(Value::Global(global(reader)?)),
            b'Q' => self.load_storage()?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            other => {
                return Err(weights(format!(
                    "data.pkl has the instruction {:?}, which a dictionary of tensors does not need",
                    char::from(other)
                )));
            }
        }
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>> {
        self.stack.pop().ok_or_else(malformed)
    }

    /// Returns the stack height without the last `count` values.
    fn height(&self, count: usize) -> Result<usize> {
        self.stack.len().checked_sub(count).ok_or_else(malformed)
    }

    /// Removes the last mark and returns its stack height.
    fn mark(&mut self) -> Result<usize> {
        self.marks.pop().filter(|start| *start <= self.stack.len()).ok_or_else(malformed)
    }

    fn push_tuple(&mut self, start: usize) {
        let tuple = Tuple { start: self.items.len(), length: self.stack.len() - start };
        self.items.extend(self.stack.drain(start..));
        self.stack.push(Value::Tuple(tuple));
    }

    fn push_dict(&mut self) {
        self.stack.push(Value::Dict(self.dicts.len()));
        self.dicts.push(Vec::new());
    }

    /// Adds the keys and values from stack height `start` on to the dictionary below them.
    fn set_items(&mut self, start: usize) -> Result<()> {
        let below = start.checked_sub(1).and_then(|index| self.stack.get(index));
        let Some(&Value::Dict(index)) = below else { return Err(malformed()) };
        let dict = self.dicts.get_mut(index).ok_or_else(malformed)?;
        let (pairs, rest) = self.stack[start..].as_chunks();
        dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        if !rest.is_empty() {
            return Err(malformed());
        }
        self.stack.truncate(start);
        Ok(())
    }

    /// Stores the top of the stack in the memo. Python numbers memo entries consecutively.
    fn put(&mut self, index: usize) -> Result<()> {
        let value = *self.stack.last().ok_or_else(malformed)?;
        if index == self.memo.len() {
            self.memo.push(value);
        } else {
            *self.memo.get_mut(index).ok_or_else(malformed)? = value;
        }
        Ok(())
    }

    fn get(&mut self, index: usize) -> Result<()> {
        let value = *self.memo.get(index).ok_or_else(malformed)?;
        self.stack.push(value);
        Ok(())
    }

    /// Replaces a reference to a storage: `("storage", class, key, device, number of elements)`.
    fn load_storage(&mut self) -> Result<()> {
        let Value::Tuple(tuple) = self.pop()? else { return Err(malformed()) };
        let &[
            Value::Text("storage"),
            Value::Global(Global::Storage(dtype)),
            Value::Text(key),
            Value::Text(_),
            Value::Int(elements),
        ] = self.items(tuple)
        else {
            return Err(weights("malformed: data.pkl refers to an object that is not a storage of numbers"));
        };
        self.stack.push(Value::Storage(Storage { dtype, key, elements }));
        Ok(())
    }

    /// Builds the few objects for which Python would call a function.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Value::Tuple(arguments), Value::Global(function)) = (arguments, function) else {
            return Err(malformed());
        };
        match (function, self.items(arguments)) {
            (Global::OrderedDict, []) => self.push_dict(),
            // The remaining arguments are `requires_grad`, hooks (always empty), and additions of newer versions.
            (
                Global::RebuildTensor,
                &[
                    Value::Storage(storage),
                    Value::Int(offset),
                    Value::Tuple(shape),
                    Value::Tuple(strides),
                    Value::Bool,
                    Value::Dict(_),
                    ..,
                ],
            ) => {
                self.stack.push(Value::Tensor(self.tensors.len()));
                self.tensors.push(TensorRef { storage, offset, shape, strides });
            }
            (Global::RebuildParameter, &[Value::Tensor(tensor), Value::Bool, Value::Dict(_)]) => {
                self.stack.push(Value::Tensor(tensor));
            }
            _ => return Err(weights("malformed: data.pkl builds an object from the wrong arguments")),
        }
        Ok(())
    }

    /// Ignores the attributes of a dictionary. torch sets `_metadata`, which is not needed.
    fn build(&mut self) -> Result<()> {
        self.pop()?;
        match self.stack.last() {
            Some(Value::Dict(_)) => Ok(()),
            _ => Err(malformed()),
        }
    }
}

fn check_protocol(protocol: u8) -> Result<()> {
    match protocol {
        2 => Ok(()),
        other => Err(unsupported(format!(
            "data.pkl has pickle protocol {other}: save the model with torch.save's default, protocol 2"
        ))),
    }
}

/// Reads a signed integer of up to 8 bytes.
fn long(reader: &mut ByteReader) -> Result<i64> {
    let length = reader.u8()?;
    let bytes = reader.take(length.into())?;
    let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut padded = [if negative { 0xff } else { 0 }; 8];
    padded.get_mut(..bytes.len()).ok_or_else(malformed)?.copy_from_slice(bytes);
    Ok(i64::from_le_bytes(padded))
}

fn text<'a>(reader: &mut ByteReader<'a>) -> Result<&'a str> {
    let length = reader.u32()? as usize;
    std::str::from_utf8(reader.take(length)?).map_err(|_| malformed())
}

fn global(reader: &mut ByteReader) -> Result<Global> {
    let (module, name) = (reader.line()?, reader.line()?);
    Ok(match (module, name) {
        (b"collections", b"OrderedDict") => Global::OrderedDict,
        (b"torch._utils", b"_rebuild_tensor_v2") => Global::RebuildTensor,
        (b"torch._utils", b"_rebuild_parameter") => Global::RebuildParameter,
        (b"torch", b"FloatStorage") => Global::Storage(Dtype::F32),
        (b"torch", b"HalfStorage") => Global::Storage(Dtype::F16),
        (b"torch", b"BFloat16Storage") => Global::Storage(Dtype::BF16),
        (b"torch", b"DoubleStorage") => Global::Storage(Dtype::F64),
        (b"torch", b"LongStorage") => Global::Storage(Dtype::I64),
        (b"torch", b"IntStorage") => Global::Storage(Dtype::I32),
        (b"torch", b"ShortStorage") => Global::Storage(Dtype::I16),
        (b"torch", b"CharStorage") => Global::Storage(Dtype::I8),
        (b"torch", b"ByteStorage") => Global::Storage(Dtype::U8),
        (b"torch", b"BoolStorage") => Global::Storage(Dtype::BOOL),
        _ => {
            let (module, name) = (String::from_utf8_lossy(module), String::from_utf8_lossy(name));
            return Err(weights(format!(
                "data.pkl names {module}.{name} of Python; only tensors are read, and code in the file is never run"
            )));
        }
    })
}

#[cold]
#[inline(never)]
fn malformed() -> Error {
    weights("malformed: data.pkl is not what Python's pickle writes for a dictionary of tensors")
}
